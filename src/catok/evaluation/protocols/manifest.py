"""JSON-lines files: manifests of recordings with their text, and hypotheses for them."""

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from catok.data.lines import numbered_lines
from catok.evaluation.protocols.items import Transcribed, checked
from catok.evaluation.protocols.tables import table


def read_manifest(path: str | Path, language: str | None = None) -> list[Transcribed]:
    """The utterances of a manifest: lines with `audio`, `text` and, if known, `language` and `id`.

    `audio` is relative to the manifest; without `id` it is the id too, less its suffix. `language`:
    of lines that state none. Other keys are passed over. Raises ValueError, with file and line, on
    a malformed line.
    """
    path = Path(path)
    return checked(_items(path, language), path)


def _items(path: Path, language: str | None) -> Iterator[Transcribed]:
    for number, line in _objects(path):
        where = f"{path}, line {number}"
        audio, text = _string(line, "audio", where), _string(line, "text", where)
        name = _string(line, "id", where) if "id" in line else _without_suffix(audio)
        spoken = language if line.get("language") is None else _string(line, "language", where)
        yield Transcribed(name, path.parent / audio, text, spoken)


def read_hypotheses(path: str | Path) -> dict[str, str]:
    """What a recogniser made of each utterance, by id; texts may be empty.

    From JSON lines with `text` and `id` (or `audio`, as in `read_manifest`), or a Kaldi text file
    of lines "id text". Raises ValueError, with file and line, on a malformed line or an id that
    comes twice.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no file of hypotheses at {path}: check the path")
    if path.suffix not in (".jsonl", ".json"):
        return table(path)
    found: dict[str, str] = {}
    for number, line in _objects(path):
        where = f"{path}, line {number}"
        key = _string(line, "id" if "id" in line else "audio", where)
        key = key if "id" in line else _without_suffix(key)
        if key in found:
            raise ValueError(f"{where}: {key} comes twice")
        found[key] = _string(line, "text", where, may_be_empty=True)
    return found


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in numbered_lines(path):
        try:
            data = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: not JSON ({error})") from error
        if not isinstance(data, dict):
            raise ValueError(f"{path}, line {number}: needs an object of keys, got {line[:40]}")
        yield number, data


def _string(line: dict[str, Any], key: str, where: str, may_be_empty: bool = False) -> str:
    value = line.get(key)
    if not isinstance(value, str) or not (value.strip() or may_be_empty):
        raise ValueError(f'{where}: needs "{key}", a text, got {value!r}')
    return value.strip()


def _without_suffix(audio: str) -> str:
    return str(PurePosixPath(audio).with_suffix(""))

"""What `catok tts` is to say: a text, a file of text, a folder of such files, or a list."""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from catok.data.folders import find_files
from catok.data.lines import numbered_lines
from catok.data.prompt_fields import PromptFields
from catok.io.config import read_config
from catok.io.files import reason


@dataclass(frozen=True)
class TextItem:
    """One text; `id` names its output. The rest stands in for the command's own options, where it
    says something.
    """

    id: str
    text: str
    reference: Path | None = None
    reference_text: str | None = None
    fields: PromptFields = field(default_factory=PromptFields)

    def seed(self, base: int) -> int:
        """Its own seed for a run with the seed `base`, whatever else is in the run."""
        return ((base << 32) + zlib.crc32(self.id.encode())) % 2**62


@dataclass(frozen=True)
class _Line(PromptFields):
    """A line of a JSON-lines list; paths are relative to the list."""

    text: str
    id: str | None = None
    reference: str | None = None
    reference_text: str | None = None


def read_utterances(path: Path) -> tuple[list[TextItem], bool, dict[str, str]]:
    """The utterances at a path, whether there may be many (each with an output of its own), and
    ids of texts in a folder that cannot be read, with the reasons.

    A folder: all its .txt files, also in sub-folders, called by their paths less the suffix.
    .jsonl: lines with `text` and, if wanted, `id` (else the line's number), `reference`,
    `reference_text` and any of `PromptFields`, such as `language` and `instruction`. .lst: a list
    of Seed-TTS-Eval. Any other file is one text.
    Raises ValueError, with file and line, on what cannot be read.
    """
    if path.is_dir():
        files = find_files(path, {".txt"}).files
        if not files:
            raise ValueError(f"{path} holds no .txt files: check the folder")
        utterances, unread = [], {}
        for file in files:
            name = file.relative_to(path).with_suffix("").as_posix()
            try:
                utterances.append(TextItem(name, _text(file)))
            except ValueError as error:
                unread[name] = str(error)
        return utterances, True, unread
    if path.suffix == ".jsonl":
        return _unique(_from_json_lines(path), path), True, {}
    if path.suffix == ".lst":
        from catok.evaluation.protocols.seed_tts_eval import read_seed_tts_list

        items = read_seed_tts_list(path)
        utterances = [
            TextItem(
                item.id,
                item.text,
                item.prompt_audio,
                item.prompt_text,
                PromptFields(language=item.language),
            )
            for item in items
        ]
        return _unique(utterances, path), True, {}
    return [TextItem(path.stem, _text(path))], False, {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} cannot be read as text ({reason(error)}): give a UTF-8 file"
        ) from error


def _from_json_lines(path: Path) -> Iterable[TextItem]:
    for number, content in numbered_lines(path):
        where = f"{path}, line {number}"
        try:
            data = json.loads(content)
        except ValueError as error:
            raise ValueError(f"{where}: not JSON ({error})") from error
        try:
            line = read_config(_Line, data, where)
        except ValueError as error:
            raise ValueError(str(error) if where in str(error) else f"{where}: {error}") from error
        reference = None if line.reference is None else path.parent / line.reference
        fields = PromptFields(**line.own_fields())
        yield TextItem(line.id or str(number), line.text, reference, line.reference_text, fields)


def _unique(items: Iterable[TextItem], where: Path) -> list[TextItem]:
    """Raises ValueError when there are none, two of an id, or an id that leaves the folder."""
    by_path: dict[str, TextItem] = {}
    for item in items:
        place = Path(item.id)
        if place.as_posix() in by_path:  # a/b and a//b are one file
            raise ValueError(f"{where} has two utterances {item.id}: give each its own id")
        if place.is_absolute() or ".." in place.parts or not place.name:
            raise ValueError(f"{where}: id {item.id!r} must name a file inside the output folder")
        by_path[place.as_posix()] = item
    if not by_path:
        raise ValueError(f"{where} lists no utterances: check the path")
    return list(by_path.values())

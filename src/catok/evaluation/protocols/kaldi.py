"""Kaldi data folders: wav.scp and a file of texts, both of lines "id value"."""

from collections.abc import Iterator
from pathlib import Path

from catok.evaluation.protocols.items import Transcribed, checked
from catok.evaluation.protocols.tables import entries, table


def read_kaldi(
    folder: str | Path, language: str | None = None, texts: str = "text"
) -> list[Transcribed]:
    """The utterances of a data folder, in the order of its wav.scp.

    `language`: of utterances for which utt2lang has none. Paths are absolute or relative to the
    folder. Raises ValueError, with file and line, on a recording without text or the reverse and on
    a pipe instead of a path, and where recordings would have to be cut into segments.
    """
    folder = Path(folder)
    if (folder / "segments").exists():
        raise ValueError(f"{folder} cuts its recordings into segments: write each to a file first")
    return checked(_items(folder, language, texts), folder)


def _items(folder: Path, language: str | None, name: str) -> Iterator[Transcribed]:
    texts = {entry.key: entry for entry in entries(folder / name)}
    languages = table(folder / "utt2lang")
    for number, key, value in entries(folder / "wav.scp"):
        where = f"{folder / 'wav.scp'}, line {number}"
        if not value or value.endswith("|"):
            raise ValueError(f"{where}: needs the path of a file, got {value!r}")
        text = texts.pop(key, None)
        if text is None or not text.value:
            raise ValueError(f"{where}: {key} has no text in {folder / name}")
        yield Transcribed(key, folder / value, text.value, languages.get(key, language))
    if texts:
        left = next(iter(texts.values()))
        raise ValueError(f"{folder / name}, line {left.number}: wav.scp has no {left.key}")

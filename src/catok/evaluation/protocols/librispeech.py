"""LibriSpeech and its like: folders of audio, each with a *.trans.txt of lines "id TEXT"."""

from collections.abc import Iterator
from pathlib import Path

from catok.evaluation.protocols.items import Transcribed, checked
from catok.evaluation.protocols.tables import entries

SUFFIXES = (".flac", ".wav")


def is_librispeech(folder: Path) -> bool:
    """Whether there is a transcript file anywhere below the folder."""
    return any(folder.rglob("*.trans.txt"))


def read_librispeech(folder: str | Path, language: str | None = None) -> list[Transcribed]:
    """The utterances below a folder such as LibriSpeech/test-clean, in order of their ids.

    Audio lies beside its transcript as ID.flac or ID.wav. `language` is "en" by default. Raises
    ValueError, with file and line, on a line without text or whose audio is not there.
    """
    return checked(sorted(_items(Path(folder), language or "en"), key=_id), Path(folder))


def _id(item: Transcribed) -> str:
    return item.id


def _items(folder: Path, language: str) -> Iterator[Transcribed]:
    for transcript in sorted(folder.rglob("*.trans.txt")):
        for number, name, text in entries(transcript):
            found = [f for s in SUFFIXES if (f := transcript.with_name(name + s)).exists()]
            if not found or not text:
                lack = "no text" if found else f"no {name}.flac or {name}.wav beside it"
                raise ValueError(f"{transcript}, line {number}: {name} has {lack}")
            yield Transcribed(name, found[0], text, language)

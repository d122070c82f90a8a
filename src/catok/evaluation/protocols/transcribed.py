"""`read_transcribed`: whatever holds recordings and their text."""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from catok.data.entry import Entry
from catok.data.kaldi import read_kaldi
from catok.data.manifest import read_manifest
from catok.data.recordings import METADATA, TRANSCRIPTS, read_folder
from catok.evaluation.protocols.aishell import find_transcript, is_aishell2, read_aishell1
from catok.evaluation.protocols.items import Transcribed, checked

LAYOUTS = (
    "a .jsonl manifest (lines with audio and text)",
    "AISHELL-2 (wav.scp and trans.txt)",
    "Kaldi (wav.scp and text)",
    "LibriSpeech (*.trans.txt beside the audio)",
    "LJSpeech (metadata.csv beside a folder wavs)",
    "AISHELL-1 (aishell_transcript*.txt in a transcript folder)",
    "any folder (audio, each with a .txt of the same name)",
)


def read_transcribed(path: str | Path, language: str | None = None) -> list[Transcribed]:
    """The utterances at `path`, a manifest or a folder, by what is found there (`LAYOUTS`).

    `language`: of utterances for which the layout knows none; LibriSpeech is English and AISHELL
    Chinese without it. The id of an utterance of a manifest is its `id`, or else its `audio` less
    the suffix. Raises ValueError, naming the layouts, where none fits; on malformed lines, on an
    utterance without text, and on an id that comes twice.
    """
    path = Path(path)
    if path.is_file() and path.name.endswith((".jsonl", ".jsonl.gz")):
        return _checked(read_manifest(path), path, language)
    if path.is_dir():
        if is_aishell2(path):
            return _checked(read_kaldi(path, texts="trans.txt"), path, language or "zh")
        if (path / "wav.scp").exists() and (path / "text").exists():
            return _checked(read_kaldi(path), path, language)
        if any(path.rglob(TRANSCRIPTS)):
            found = _checked(read_folder(path), path, language or "en")
            return sorted(found, key=lambda item: item.id)
        if (path / METADATA).is_file():
            return _checked(read_folder(path), path, language)
        if find_transcript(path):
            return read_aishell1(path)
        entries = read_folder(path)
        if any(entry.text for entry in entries):
            return _checked(entries, path, language)
    known = "; ".join(LAYOUTS)
    raise ValueError(f"{path} is none of the layouts that can be read: {known}")


def _checked(entries: Iterable[Entry], where: Path, language: str | None) -> list[Transcribed]:
    return checked(_items(entries, where, language), where)


def _items(entries: Iterable[Entry], where: Path, language: str | None) -> Iterator[Transcribed]:
    for entry in entries:
        line = f", line {entry.line}" if where.is_file() else ""
        if entry.audio is None:
            raise ValueError(f"{where}{line}: {entry.name} has codes and no audio")
        if not (entry.text or "").strip():
            reason = entry.error or "leave it out, or write down what is said in it"
            raise ValueError(f'{where}{line}: {entry.name} has no "text": {reason}')
        yield Transcribed(
            id=entry.id or without_suffix(entry.name),
            audio=entry.audio,
            text=(entry.text or "").strip(),
            language=entry.language or language,
            offset=entry.offset,
            seconds=None if entry.offset is None else entry.duration,
        )


def without_suffix(name: str) -> str:
    """A path in a list less its suffix, as recordings without ids are called."""
    return str(PurePosixPath(name).with_suffix(""))

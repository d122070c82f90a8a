"""`read_asr_data`: whatever holds recordings and their text.

AISHELL-1 has one transcript file for all; AISHELL-2 has wav.scp and trans.txt in each folder.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from catok.data.entry import Entry
from catok.data.kaldi import read_kaldi, read_table
from catok.data.manifest import read_manifest
from catok.data.recordings import METADATA, TRANSCRIPTS, read_folder
from catok.evaluation.protocols.items import ASRItem, check_items

AISHELL1_TRANSCRIPTS = "aishell_transcript*.txt"
LAYOUTS = (
    "a .jsonl manifest (lines with audio and text)",
    "AISHELL-2 (wav.scp and trans.txt)",
    "Kaldi (wav.scp and text)",
    "LibriSpeech (*.trans.txt beside the audio)",
    "LJSpeech (metadata.csv beside a folder wavs)",
    "AISHELL-1 (aishell_transcript*.txt in a transcript folder)",
    "any folder (audio, each with a .txt of the same name)",
)


def read_asr_data(path: str | Path, language: str | None = None) -> list[ASRItem]:
    """The utterances at `path`, a manifest or a folder, by what is found there (`LAYOUTS`).

    `language`: of utterances for which the layout knows none; LibriSpeech is English and AISHELL
    Chinese without it. The id of an utterance of a manifest is its `id`, or else its `audio` less
    the suffix. Raises ValueError, naming the layouts, where none fits; on malformed lines, on an
    utterance without text, and on an id that comes twice.
    """
    path = Path(path)
    if path.is_file() and path.name.endswith((".jsonl", ".jsonl.gz")):
        return _check_entries(read_manifest(path), path, language)
    if path.is_dir():
        if is_aishell2(path):
            return _check_entries(read_kaldi(path, texts="trans.txt"), path, language or "zh")
        if (path / "wav.scp").exists() and (path / "text").exists():
            return _check_entries(read_kaldi(path), path, language)
        if any(path.rglob(TRANSCRIPTS)):
            items = _check_entries(read_folder(path), path, language or "en")
            return sorted(items, key=lambda item: item.id)
        if (path / METADATA).is_file():
            return _check_entries(read_folder(path), path, language)
        if find_aishell1_transcript(path):
            return read_aishell1(path)
        entries = read_folder(path)
        if any(entry.text for entry in entries):
            return _check_entries(entries, path, language)
    known = "; ".join(LAYOUTS)
    raise ValueError(f"{path} is none of the layouts that can be read: {known}")


def _check_entries(entries: Iterable[Entry], where: Path, language: str | None) -> list[ASRItem]:
    return check_items(_items(entries, where, language), where)


def _items(entries: Iterable[Entry], where: Path, language: str | None) -> Iterator[ASRItem]:
    for entry in entries:
        line = f", line {entry.line}" if where.is_file() else ""
        if entry.audio is None:
            raise ValueError(f"{where}{line}: {entry.name} has codes and no audio")
        if not (entry.text or "").strip():
            reason = entry.error or "leave it out, or write down what is said in it"
            raise ValueError(f'{where}{line}: {entry.name} has no "text": {reason}')
        yield ASRItem(
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


def is_aishell2(folder: Path) -> bool:
    """Whether this is a folder such as AISHELL-2/iOS/test."""
    return (folder / "wav.scp").exists() and (folder / "trans.txt").exists()


def find_aishell1_transcript(folder: Path) -> Path | None:
    """AISHELL-1's transcript file: in the folder, or in a `transcript` folder in or above it.

    Above means up to three folders, as from data_aishell/wav/test/S0764 to data_aishell.
    """
    folder = folder.absolute()
    for place in (folder, *(f / "transcript" for f in (folder, *folder.parents[:3]))):
        matches = sorted(place.glob(AISHELL1_TRANSCRIPTS))
        if matches:
            return matches[-1]
    return None


def read_aishell1(folder: str | Path) -> list[ASRItem]:
    """The utterances below a folder such as data_aishell/wav/test.

    As in the corpus's own recipes, recordings without a transcript are left out. Raises ValueError
    where no transcripts are found.
    """
    folder = Path(folder)
    transcript = find_aishell1_transcript(folder)
    if transcript is None:
        raise ValueError(f"there is no {AISHELL1_TRANSCRIPTS} in or above {folder}")
    return check_items(_aishell1_items(folder, read_table(transcript)), folder)


def _aishell1_items(folder: Path, texts: dict[str, str]) -> Iterator[ASRItem]:
    for audio in sorted(folder.rglob("*.wav")):
        text = texts.get(audio.stem)
        if text:
            yield ASRItem(audio.stem, audio, text, "zh")

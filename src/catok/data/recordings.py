"""Recordings with what is known of them, from a list or a folder of any common layout."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from catok.data.entry import Entry
from catok.data.folders import find_audio
from catok.data.kaldi import read_kaldi, table_lines
from catok.data.lines import numbered_lines
from catok.data.manifest import read_manifest
from catok.io.text import read_text

METADATA = "metadata.csv"  # of LJSpeech
TRANSCRIPTS = "*.trans.txt"  # of LibriSpeech


def read_recordings(path: str | Path) -> list[Entry]:
    """What is at `path`: a manifest (see `read_manifest`), or a folder (see `read_folder`).

    Raises ValueError on a missing path, on malformed lines, and where there is nothing.
    """
    path = Path(path)
    if path.is_dir():
        entries = read_folder(path)
    elif path.exists():
        entries = list(read_manifest(path))
    else:
        raise ValueError(f"no manifest or folder at {path}: check the path")
    if not entries:
        raise ValueError(f"{path} lists no audio: check the folder")
    return entries


def read_folder(folder: Path) -> list[Entry]:
    """The recordings of a folder and its subfolders, by its layout.

    - Kaldi: wav.scp and, if there, segments, text, utt2spk and others (see `read_kaldi`);
    - LibriSpeech: ID.trans.txt of lines "id TEXT" beside the audio; the speaker is the id's first
      part;
    - LJSpeech: metadata.csv of lines "id|text|text in full" beside a folder wavs/;
    - any other: its audio, each with the text of the .txt of the same name, if there is one.

    What a transcript names and is not there is listed all the same, so that it is counted; so is
    audio that no transcript names. Raises ValueError on malformed transcripts.
    """
    if (folder / "wav.scp").exists():
        return read_kaldi(folder)
    audio = find_audio(folder).files
    transcripts = sorted(folder.rglob(TRANSCRIPTS))
    if transcripts:
        return _joined(audio, _librispeech(transcripts), folder)
    if _is_ljspeech(folder):
        return _joined(audio, _ljspeech(folder), folder)
    return [_with_text_file(file, folder) for file in audio]


def _librispeech(transcripts: Sequence[Path]) -> Iterator[Entry]:
    for transcript in transcripts:
        for number, name, text in table_lines(transcript):
            speaker, dash, _ = name.partition("-")
            yield Entry(
                audio=transcript.parent / f"{name}.flac",
                name=name,
                id=name,
                text=text or None,
                speaker=speaker if dash else None,
                line=number,
            )


def _is_ljspeech(folder: Path) -> bool:
    if not (folder / METADATA).is_file():
        return False
    try:
        return "|" in next(numbered_lines(folder / METADATA), (0, ""))[1]
    except ValueError:
        return False  # of something else, in another encoding


def _ljspeech(folder: Path) -> Iterator[Entry]:
    for number, line in numbered_lines(folder / METADATA):
        name, *texts = (part.strip() for part in line.split("|"))
        if not name or not texts or "\0" in name:
            raise ValueError(f"{folder / METADATA}, line {number}: needs id|text, got {line[:40]}")
        text = next((text for text in reversed(texts) if text), None)
        audio = folder / "wavs" / f"{name}.wav"
        yield Entry(audio, name=name, id=name, text=text, line=number)


def _joined(audio: Sequence[Path], listed: Iterator[Entry], folder: Path) -> list[Entry]:
    """What is listed, with the audio that is there, whatever its suffix; then all other audio."""
    by_stem: dict[Path, Path] = {}
    for file in audio:
        by_stem.setdefault(file.with_suffix(""), file)
    entries = []
    for entry in listed:
        assert entry.audio is not None
        place = by_stem.get(entry.audio.with_suffix(""), entry.audio)
        entries.append(replace(entry, audio=place))
    named = {entry.audio for entry in entries}
    return entries + [_with_text_file(file, folder) for file in audio if file not in named]


def _with_text_file(audio: Path, folder: Path) -> Entry:
    entry = Entry(audio, name=audio.relative_to(folder).as_posix())
    file = audio.with_suffix(".txt")
    if not os.path.isfile(file):  # Path.is_file raises where the name is too long
        return entry
    try:
        return replace(entry, text=read_text(file).strip() or None)
    except ValueError as error:
        return replace(entry, error=str(error))

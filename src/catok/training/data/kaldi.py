"""Kaldi data directories: wav.scp and, beside it, segments, text, utt2spk, utt2lang, reco2dur."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from catok.audio import audio_info
from catok.training.data.cuts import beside, make_cut, unreadable_cut
from catok.training.data.lines import numbered_lines

if TYPE_CHECKING:
    from lhotse.cut.data import DataCut as Cut

T = TypeVar("T")


def read_folder(folder: Path, domain: str | None = None) -> list[Cut]:
    """One cut per segment, or per recording where the folder has no segments.

    Raises ValueError, with file and line, on a malformed line, on a pipe in wav.scp (write its
    audio to files first) and on a segment of a recording that wav.scp does not name.
    """
    files = {key: beside(path, folder) for key, path in _table(folder / "wav.scp", _path).items()}
    stated = _table(folder / "reco2dur", float)
    about = {
        fact: _table(folder / name, str)
        for fact, name in (("text", "text"), ("speaker", "utt2spk"), ("language", "utt2lang"))
    }
    lengths: dict[str, float | str] = {}  # seconds, or why they are not known
    cuts = []
    for utterance, recording, start, end in _segments(folder, files):
        facts = {fact: table.get(utterance) for fact, table in about.items()} | {"domain": domain}
        if recording not in lengths:
            lengths[recording] = stated.get(recording) or _seconds(files[recording])
        length = lengths[recording]
        name = f"{files[recording]}#{utterance}"
        if isinstance(length, str):
            cuts.append(unreadable_cut(name, length, facts))
            continue
        seconds = (length if end < 0 else min(end, length)) - start
        if seconds <= 0:
            reason = f"segment {utterance} lies outside its recording of {length:g} s"
            cuts.append(unreadable_cut(name, reason, facts))
            continue
        cuts.append(make_cut(name, files[recording], seconds, facts, start=start, total=length))
    return cuts


def _segments(folder: Path, files: dict[str, str]) -> Iterator[tuple[str, str, float, float]]:
    """Utterance, recording, start and end in seconds (negative: until the recording's end)."""
    if not (folder / "segments").exists():
        yield from ((name, name, 0.0, -1.0) for name in files)
        return
    for utterance, (recording, start, end) in _table(folder / "segments", _segment).items():
        if recording not in files:
            raise ValueError(f"{folder / 'segments'}: wav.scp has no {recording} ({utterance})")
        yield utterance, recording, start, end


def _table(path: Path, read: Callable[[str], T]) -> dict[str, T]:
    """A file of lines "key value"; empty where there is none."""
    table: dict[str, T] = {}
    if not path.exists():
        return table
    for number, line in numbered_lines(path):
        key, value = (*line.split(maxsplit=1), "")[:2]
        try:
            table[key] = read(value.strip())
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    return table


def _path(value: str) -> str:
    if value.endswith("|") or not value:
        raise ValueError(f"needs the path of a file (write what pipes give to files): {value!r}")
    return value


def _segment(value: str) -> tuple[str, float, float]:
    parts = value.split()
    if len(parts) != 3:
        raise ValueError(f"needs utterance, recording, start and end, got {value!r}")
    start, end = float(parts[1]), float(parts[2])
    if start < 0 or 0 <= end <= start:
        raise ValueError(f"needs 0 <= start < end (or an end of -1), got {value!r}")
    return parts[0], start, end


def _seconds(path: str) -> float | str:
    try:
        return audio_info(path).seconds
    except ValueError as error:
        return str(error)

"""Kaldi data folders: wav.scp and, beside it, segments, text, utt2spk, utt2lang, reco2dur."""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from catok.data.entry import MAX_SECONDS, Entry
from catok.data.lines import numbered_lines

T = TypeVar("T")


class Line(NamedTuple):
    """One line of a table: where it stands, its key and the rest of the line."""

    number: int
    key: str
    value: str


def read_kaldi(folder: str | Path, *, texts: str = "text") -> list[Entry]:
    """One entry per segment, or per recording where the folder has no segments.

    In the order of segments or wav.scp; `id` is the utterance's. `texts`: the file of texts. Paths
    are absolute, relative to the working directory, or else to the folder. Raises ValueError, with
    file and line, on a malformed line, on a key that comes twice, on a pipe in wav.scp (write its
    audio to files first), and on a segment, text, speaker or language of what is not there.
    """
    folder = Path(folder)
    files = _parsed(folder / "wav.scp", _path)
    if not files:
        raise ValueError(f"{folder / 'wav.scp'} lists no recordings")
    lengths = _parsed(folder / "reco2dur", _length)
    segments = _segments(folder, files)
    about = {
        fact: _utterance_table(folder / name, segments)
        for fact, name in (("text", texts), ("speaker", "utt2spk"), ("language", "utt2lang"))
    }
    entries = []
    for utterance, (line, recording, start, end) in segments.items():
        total = lengths.get(recording)
        length = total if start is None else (None if end is None else end - start)
        entry = Entry(
            audio=resolve_path(files[recording], folder),
            name=utterance,
            id=utterance,
            offset=start,
            duration=length,
            total=total,
            text=about["text"].get(utterance),
            speaker=about["speaker"].get(utterance),
            language=about["language"].get(utterance),
            line=line,
        )
        entries.append(entry)
    return entries


def table_lines(path: Path) -> Iterator[Line]:
    """Lines "key value", split at the first blank or tab; the value may be empty.

    Raises ValueError as `numbered_lines` does, and on a key that comes twice.
    """
    seen: dict[str, int] = {}
    for number, line in numbered_lines(path):
        key, value = (*line.split(maxsplit=1), "")[:2]
        if key in seen:
            raise ValueError(f"{path}, line {number}: {key} is already in line {seen[key]}")
        seen[key] = number
        yield Line(number, key, value)


def read_table(path: Path) -> dict[str, str]:
    """The values of `table_lines` by key; empty where there is no such file."""
    return _parsed(path, str)


def resolve_path(path: str, folder: Path) -> Path:
    """A path of a foreign list: as it stands if that exists, else relative to the list's folder."""
    plain = Path(path)
    return plain if plain.is_absolute() or plain.exists() else folder / path


_Segment = tuple[int, str, float | None, float | None]  # line, recording, start and end in seconds


def _segments(folder: Path, files: Mapping[str, str]) -> dict[str, _Segment]:
    """By utterance; start None: the whole recording; end None: until its end."""
    path = folder / "segments"
    if not path.exists():
        return {name: (number, name, None, None) for number, name in enumerate(files, 1)}
    segments = {}
    for line in table_lines(path):
        try:
            recording, start, end = _segment(line.value)
        except ValueError as error:
            raise ValueError(f"{path}, line {line.number}: {error}") from error
        if recording not in files:
            raise ValueError(f"{path}, line {line.number}: wav.scp has no {recording} ({line.key})")
        segments[line.key] = (line.number, recording, start, end)
    return segments


def _utterance_table(path: Path, utterances: Mapping[str, object]) -> dict[str, str]:
    """A table by utterance, all of which must be known."""
    table = read_table(path)
    for key in table:
        if key not in utterances:
            raise ValueError(f"{path} has a line of {key}, which is no utterance: remove it")
    return table


def _parsed(path: Path, read: Callable[[str], T]) -> dict[str, T]:
    table: dict[str, T] = {}
    if not path.exists():
        return table
    for line in table_lines(path):
        try:
            table[line.key] = read(line.value)
        except ValueError as error:
            raise ValueError(f"{path}, line {line.number}: {error}") from error
    return table


def _path(value: str) -> str:
    if value.startswith("|") or value.endswith("|") or not value or "\0" in value:
        raise ValueError(f"needs the path of a file (write what pipes give to files): {value!r}")
    return value


def _length(value: str) -> float:
    seconds = float(value)
    if not 0 < seconds <= MAX_SECONDS:
        raise ValueError(f"needs the length in seconds, got {value!r}")
    return seconds


def _segment(value: str) -> tuple[str, float, float | None]:
    parts = value.split()
    if len(parts) != 3:
        raise ValueError(f"needs utterance, recording, start and end, got {value!r}")
    start, end = float(parts[1]), float(parts[2])
    known = math.isfinite(start) and math.isfinite(end) and max(start, end) <= MAX_SECONDS
    if not known or start < 0 or 0 <= end <= start:
        raise ValueError(f"needs 0 <= start < end (or an end of -1), got {value!r}")
    return parts[0], start, None if end < 0 else end

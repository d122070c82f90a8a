"""Which recordings are evaluated: what a folder or a manifest lists, and a fixed choice of them."""

import hashlib
import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from torch import Tensor

from catok.audio import audio_info
from catok.data.entry import Entry
from catok.data.recordings import read_recordings as read_entries
from catok.evaluation.markdown import readable
from catok.evaluation.preprocessing import load_part

UNKNOWN = "unknown"  # the domain of a recording that states none


@dataclass(frozen=True)
class EvalRecording:
    """An audio file, or a part of one, and what is known of it.

    `key`: its name in all tables, unique in a run. `seconds`: None where the file cannot be read.
    `band_edge` in Hz: above it the recording is empty. `corpus`: where it comes from. `offset` in
    seconds: where the part begins, None for the whole file. `error`: why it cannot be used.
    """

    key: str
    path: Path
    seconds: float | None
    domain: str = UNKNOWN
    language: str | None = None
    text: str | None = None
    band_edge: float | None = None
    corpus: str | None = None
    speaker: str | None = None
    offset: float | None = None
    error: str | None = None

    @property
    def stem(self) -> str:
        """A file name of its own, without suffix, for what is kept of this recording."""
        name = PurePosixPath(self.key).stem.encode()[:60].decode(errors="ignore")
        return f"{name}-{hashlib.sha1(self.key.encode()).hexdigest()[:8]}"

    def load(self) -> tuple[Tensor, int]:
        """Its samples `[C, T]` and their rate in Hz. Raises ValueError where it cannot be read."""
        if self.error is not None:
            raise ValueError(self.error)
        return load_part(self.path, self.offset, self.seconds)


@dataclass(frozen=True)
class Selection:
    """Which recordings to take: lengths in seconds, numbers per domain and in all; None: any."""

    limit: int | None = None
    per_domain: int | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("limit", "per_domain"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}: leave it out for all")
        for name in ("min_seconds", "max_seconds"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be seconds, got {value}: leave it out for any")
        low, high = self.min_seconds or 0.0, self.max_seconds or math.inf
        if low > high:
            raise ValueError(f"min_seconds {low:g} is above max_seconds {high:g}: swap them")


def read_recordings(path: str | Path, leave_out: Path | None = None) -> list[EvalRecording]:
    """The recordings of a folder or manifest (see `catok.data.recordings.read_recordings`).

    `leave_out`: a folder of results, whose clips are no recordings of a folder around it. Raises
    ValueError on a missing path, on a malformed line, on a recording that is listed twice, on codes
    without audio, and when nothing is found.
    """
    recordings = [_recording(entry, Path(path)) for entry in read_entries(path)]
    if leave_out is not None and Path(path).is_dir():
        results = leave_out.resolve()
        recordings = [r for r in recordings if not r.path.resolve().is_relative_to(results)]
    if not recordings:
        raise ValueError(f"{path} lists no recordings but results: check the path")
    key, times = Counter(recording.key for recording in recordings).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{path} lists {key} {times} times: remove all but one")
    return recordings


def select_recordings(
    recordings: Sequence[EvalRecording], selection: Selection
) -> list[EvalRecording]:
    """The recordings that `selection` takes, in the order of the SHA-1 of their file names (of
    parts of files: of their keys).

    The order mixes corpora and depends on nothing but the names and the seed (0: the plain names).
    Files of unknown length are kept: that they cannot be read is a result. Raises ValueError when
    nothing is left.
    """
    low, high = selection.min_seconds or 0.0, selection.max_seconds or math.inf
    fitting = [r for r in recordings if r.seconds is None or low <= r.seconds <= high]
    salt = f"#{selection.seed}" if selection.seed else ""

    def place(recording: EvalRecording) -> tuple[str, str]:
        name = recording.path.name if recording.offset is None else recording.key
        return hashlib.sha1(os.fsencode(name + salt)).hexdigest(), recording.key

    taken: Counter[str] = Counter()
    chosen = []
    for recording in sorted(fitting, key=place):
        taken[recording.domain] += 1
        if selection.per_domain is None or taken[recording.domain] <= selection.per_domain:
            chosen.append(recording)
    if not chosen:
        raise ValueError(
            f"none of {len(recordings)} recordings is {low:g} to {high:g} s long: "
            "change min_seconds or max_seconds"
        )
    return chosen[: selection.limit]


def _recording(entry: Entry, listed_in: Path) -> EvalRecording:
    if entry.audio is None:
        raise ValueError(
            f"{listed_in}, line {entry.line}: {entry.name} has codes and no audio to compare with"
        )
    seconds = entry.duration
    if seconds is None:
        whole = _seconds(entry.audio) if entry.total is None else entry.total
        seconds = None if whole is None else max(0.0, whole - (entry.offset or 0.0))
    return EvalRecording(
        key=readable(_key(entry)),
        path=entry.audio,
        seconds=seconds,
        domain=entry.domain or UNKNOWN,
        language=entry.language,
        text=entry.text,
        band_edge=entry.band_edge,
        corpus=entry.corpus,
        speaker=entry.speaker,
        offset=entry.offset,
        error=entry.error and readable(entry.error),
    )


def _key(entry: Entry) -> str:
    """The name in the list; parts of one file are told apart by their ids, or where they begin."""
    if entry.offset is None:
        return entry.name
    return entry.id or f"{entry.name}@{entry.offset:g}"


def _seconds(path: Path) -> float | None:
    try:
        return audio_info(path).seconds
    except (ValueError, OSError):
        return None

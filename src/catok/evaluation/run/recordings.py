"""Which recordings are evaluated: what a folder or a manifest lists, and a fixed choice of them."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catok.audio import audio_info
from catok.data.folders import find_audio
from catok.data.lines import numbered_lines

UNKNOWN = "unknown"  # the domain of a recording that states none


@dataclass(frozen=True)
class Recording:
    """One audio file and what is known of it.

    `key`: its name in all tables, unique in a run. `seconds`: None where the file cannot be read.
    `band_edge` in Hz: above it the recording is empty. `source`: the corpus it comes from.
    """

    key: str
    path: Path
    seconds: float | None
    domain: str = UNKNOWN
    language: str | None = None
    text: str | None = None
    band_edge: float | None = None
    source: str | None = None

    @property
    def stem(self) -> str:
        """A file name of its own, without suffix, for what is kept of this recording."""
        return f"{self.path.stem[:60]}-{hashlib.sha1(self.key.encode()).hexdigest()[:8]}"


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
        low, high = self.min_seconds or 0.0, self.max_seconds or math.inf
        if low > high:
            raise ValueError(f"min_seconds {low:g} is above max_seconds {high:g}: swap them")


def read_recordings(path: str | Path) -> list[Recording]:
    """The recordings of a folder of audio (with its subfolders), or of a JSON-lines manifest.

    A line of a manifest is an object with `audio`, a path relative to the manifest, and optionally
    `duration` in seconds, `domain`, `language`, `text`, `band_edge` in Hz and `source`; other keys
    are passed over. Raises ValueError on a missing path, on a malformed line, on a recording that
    is listed twice, and when nothing is found.
    """
    path = Path(path)
    if path.is_dir():
        found = [
            Recording(str(file.relative_to(path)), file, _seconds(file))
            for file in find_audio(path).files
        ]
    elif path.is_file():
        found = _read_manifest(path)
    else:
        raise ValueError(f"no manifest or folder at {path}: check the path")
    if not found:
        raise ValueError(f"{path} lists no audio: check the path")
    key, times = Counter(recording.key for recording in found).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{path} lists {key} {times} times: remove all but one")
    return found


def choose(recordings: Sequence[Recording], selection: Selection) -> list[Recording]:
    """The recordings that `selection` takes, in the order of the SHA-1 of their file names.

    The order mixes sources and depends on nothing but the names and the seed (0: the plain names).
    Files of unknown length are kept: that they cannot be read is a result. Raises ValueError when
    nothing is left.
    """
    low, high = selection.min_seconds or 0.0, selection.max_seconds or math.inf
    fitting = [r for r in recordings if r.seconds is None or low <= r.seconds <= high]
    salt = f"#{selection.seed}" if selection.seed else ""

    def place(recording: Recording) -> tuple[str, str]:
        return hashlib.sha1((recording.path.name + salt).encode()).hexdigest(), recording.key

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


def _read_manifest(manifest: Path) -> list[Recording]:
    found = []
    for number, line in numbered_lines(manifest):
        try:
            found.append(_recording(json.loads(line), manifest.parent))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(
                f'{manifest}, line {number}: needs {{"audio": path, "duration": seconds}} '
                f"({type(error).__name__}: {error})"
            ) from error
    return found


def _recording(line: dict[str, Any], folder: Path) -> Recording:
    path = folder / line["audio"]
    edge, duration = line.get("band_edge"), line.get("duration")
    return Recording(
        key=line["audio"],
        path=path,
        seconds=_seconds(path) if duration is None else float(duration),
        domain=line.get("domain") or UNKNOWN,
        language=line.get("language"),
        text=line.get("text"),
        band_edge=None if edge is None else float(edge),
        source=line.get("source"),
    )


def _seconds(path: Path) -> float | None:
    try:
        return audio_info(path).seconds
    except (ValueError, OSError):
        return None

"""Lhotse cuts as this package uses them: how one is made, and the facts it carries.

Domain, band edge and task are custom fields of a cut. lhotse takes seconds to import and is not
needed by encoding and decoding: import it inside functions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from catok.data.entry import MAX_SECONDS, Entry

if TYPE_CHECKING:
    from lhotse import Recording
    from lhotse.cut.data import DataCut as Cut

TASKS = ("asr", "multi_speaker_asr", "caption")
FILE, TAR, MEMORY, UNREADABLE = "file", "tar", "memory", "unreadable"  # types of audio source

_RATE = 48_000  # stands in a manifest that states no rate; reading asks the file


def make_cut(
    entry: Entry,
    source: str,
    length: float | None = None,
    *,
    name: str,
    domain: str | None = None,
    kind: str = FILE,
) -> Cut:
    """The cut of an entry whose audio is at `source`; `domain` is its if it states none.

    `length`: of the whole audio in seconds; it may be None where the entry says enough, its
    `duration` and no `offset`. Raises ValueError where the entry lies outside the audio, and on a
    task that does not exist.
    """
    from lhotse import AudioSource, MonoCut, Recording, SupervisionSegment

    start = entry.offset or 0.0
    end = math.inf if entry.duration is None else start + entry.duration
    whole = entry.offset is None and entry.duration is not None
    total = end if whole or length is None else length
    seconds = min(end, total) - start
    if not 0 < seconds < math.inf:
        raise ValueError(f"{start:g} to {end:g} s lie outside its recording of {total:g} s")
    recording = Recording(
        id=name,
        sources=[AudioSource(type=kind, channels=[0], source=source)],
        sampling_rate=_RATE,
        num_samples=max(1, round(total * _RATE)),
        duration=total,
    )
    supervisions = []
    if entry.text is not None:
        supervision = SupervisionSegment(
            id=name,
            recording_id=name,
            start=0.0,
            duration=seconds,
            text=entry.text,
            language=entry.language,
            speaker=entry.speaker,
        )
        supervisions.append(supervision)
    return MonoCut(
        id=name,
        start=start,
        duration=seconds,
        channel=0,
        supervisions=supervisions,
        recording=recording,
        custom=_custom(entry, domain) or None,
    )


def unreadable_cut(name: str, reason: str, domain: str | None = None) -> Cut:
    """Stands for audio that cannot even be listed, so that its reason is reported when drawn."""
    entry = Entry(audio=None, duration=1.0)
    return make_cut(entry, reason, name=name, domain=domain, kind=UNREADABLE)


def checked_cut(cut: Cut, domain: str | None) -> Cut:
    """A cut of lhotse's that can be read here, its domain filled in where it states none.

    Raises ValueError where its audio is not as it lies in one file, and on lengths that cannot be.
    """
    recording = recording_of(cut)
    if getattr(recording, "transforms", None):
        raise ValueError(f"{cut.id} is transformed (speed, volume or so): write it to a file")
    for seconds in (cut.duration, recording.duration):
        if not 0 < seconds <= MAX_SECONDS:
            raise ValueError(f"{cut.id} must last up to {MAX_SECONDS:g} seconds, got {seconds!r}")
    if not 0 <= cut.start < recording.duration:
        raise ValueError(f"{cut.id} begins at {cut.start!r} s, outside of its recording")
    if domain is not None and domain_of(cut, "") == "":
        cut.custom = {**(cut.custom or {}), "domain": domain}
    return cut


def is_unreadable(cut: Cut) -> bool:
    """Whether the cut stands for audio that cannot even be listed."""
    return recording_of(cut).sources[0].type == UNREADABLE


def recording_of(cut: Cut) -> Recording:
    """The cut's recording, from one source. Raises ValueError where it has none."""
    recording = getattr(cut, "recording", None)
    if recording is None:
        raise ValueError(f"{cut.id} is mixed or has no recording: write its audio to a file")
    if len(recording.sources) != 1:
        raise ValueError(f"{cut.id} lies in {len(recording.sources)} files: write it to one")
    return recording


def domain_of(cut: Cut, default: str = "speech") -> str:
    """The cut's domain."""
    return _fact(cut, "domain") or default


def band_edge_of(cut: Cut) -> float:
    """Highest frequency in Hz that the cut carries; inf when unknown."""
    edge = _fact(cut, "band_edge")
    return math.inf if edge is None else float(edge)


def task_of(cut: Cut) -> str:
    """Which text task the cut's text is for."""
    return _fact(cut, "task") or TASKS[0]


def _fact(cut: Cut, key: str) -> Any:
    return (getattr(cut, "custom", None) or {}).get(key)


def _custom(entry: Entry, domain: str | None) -> dict[str, Any]:
    if entry.task is not None and entry.task not in TASKS:
        raise ValueError(f"task must be one of {list(TASKS)}, got {entry.task!r}")
    custom = {
        "domain": entry.domain or domain,
        "band_edge": entry.band_edge,
        "task": entry.task,
    }
    return {key: value for key, value in custom.items() if value is not None}

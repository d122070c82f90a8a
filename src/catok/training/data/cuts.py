"""Lhotse cuts as this package uses them: how one is made, and the facts it carries.

Domain, band edge and task are custom fields of a cut. lhotse takes seconds to import and is not
needed by encoding and decoding: import it inside functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lhotse import Recording
    from lhotse.cut.data import DataCut as Cut

TASKS = ("asr", "multi_speaker_asr", "caption")
FILE, TAR, MEMORY, UNREADABLE = "file", "tar", "memory", "unreadable"  # types of audio source

_RATE = 48_000  # stands in a manifest that states no rate; reading asks the file
_TEXT_KEYS = ("text", "language", "speaker")


def make_cut(
    name: str,
    source: str,
    seconds: float,
    facts: Mapping[str, Any],
    *,
    kind: str = FILE,
    start: float = 0.0,
    total: float | None = None,
) -> Cut:
    """A cut of `seconds` from `start` of the audio at `source`.

    `facts`: any of text, language, speaker, domain, band_edge (Hz), task; None means unknown.
    `total`: length of the recording in seconds (None: it ends with the cut).
    Raises ValueError where a length or fact is not what it should be.
    """
    from lhotse import AudioSource, MonoCut, Recording, SupervisionSegment

    if isinstance(seconds, bool) or not 0 < seconds < math.inf:
        raise ValueError(f"the duration must be positive seconds, got {seconds!r}")
    if start < 0:
        raise ValueError(f"the start must not be negative, got {start!r}")
    total = start + seconds if total is None else total
    recording = Recording(
        id=name,
        sources=[AudioSource(type=kind, channels=[0], source=source)],
        sampling_rate=_RATE,
        num_samples=max(1, round(total * _RATE)),
        duration=total,
    )
    supervisions = []
    text = _text(facts)
    if text is not None:
        supervision = SupervisionSegment(
            id=name,
            recording_id=name,
            start=0.0,
            duration=seconds,
            text=text,
            language=facts.get("language"),
            speaker=facts.get("speaker"),
        )
        supervisions.append(supervision)
    return MonoCut(
        id=name,
        start=start,
        duration=seconds,
        channel=0,
        supervisions=supervisions,
        recording=recording,
        custom=_custom(facts) or None,
    )


def unreadable_cut(name: str, reason: str, facts: Mapping[str, Any]) -> Cut:
    """Stands for audio that cannot even be listed, so that its reason is reported when drawn."""
    return make_cut(name, reason, 1.0, _custom(facts), kind=UNREADABLE)


def with_domain(cut: Cut, domain: str | None) -> Cut:
    """The cut, its domain filled in where it states none."""
    if domain is not None and domain_of(cut, "") == "":
        cut.custom = {**(cut.custom or {}), "domain": domain}
    return cut


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


def beside(path: str, folder: Path) -> str:
    """A path of a foreign manifest: as it stands if that exists, else relative to the manifest."""
    return path if Path(path).is_absolute() or Path(path).exists() else str(folder / path)


def _fact(cut: Cut, key: str) -> Any:
    return (getattr(cut, "custom", None) or {}).get(key)


def _text(facts: Mapping[str, Any]) -> str | None:
    for key in _TEXT_KEYS:
        if not isinstance(facts.get(key), str | None):
            raise ValueError(f"{key} must be a string, got {facts[key]!r}")
    return facts.get("text")


def _custom(facts: Mapping[str, Any]) -> dict[str, Any]:
    custom: dict[str, Any] = {}
    domain, edge, task = (facts.get(key) for key in ("domain", "band_edge", "task"))
    if domain is not None:
        custom["domain"] = str(domain)
    if edge is not None:
        custom["band_edge"] = float(edge)
    if task is not None:
        if task not in TASKS:
            raise ValueError(f"task must be one of {list(TASKS)}, got {task!r}")
        custom["task"] = task
    return custom

"""A few recordings to listen to: what every system makes of a short clip, kept as FLAC."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from catok.audio import save_audio
from catok.evaluation.results_folder import Row
from catok.evaluation.run.codes import slug
from catok.evaluation.run.recordings import Recording
from catok.evaluation.run.rows import broken
from catok.evaluation.run.scoring import Tools

CLIP_SECONDS = 6.0
_STEP = 0.5  # seconds between the places that are tried


@dataclass(frozen=True)
class ExampleTask:
    """A recording to make clips of, and the folder of the run."""

    recording: Recording
    out: Path


def pick(recordings: Sequence[Recording], rows: Sequence[Row], per_domain: int) -> list[Recording]:
    """The first `per_domain` recordings of each domain without a flag that all systems coded."""
    bad = {row["key"] for row in rows if row["flag"] or broken(row)}
    taken: dict[str, list[Recording]] = {}
    for recording in recordings:
        group = taken.setdefault(recording.domain, [])
        if recording.key not in bad and len(group) < per_domain:
            group.append(recording)
    return [recording for domain in sorted(taken) for recording in taken[domain]]


def clip_path(out: Path, recording: Recording, system: str, setting: str) -> Path:
    """Where the clip of one system at one setting is."""
    return clips_folder(out, recording) / f"{slug(system)}@{slug(setting)}.flac"


def clips_folder(out: Path, recording: Recording) -> Path:
    """Where all clips of a recording are."""
    return out / "examples" / recording.stem


def loudest(audio: Tensor, sample_rate: int, seconds: float = CLIP_SECONDS) -> Tensor:
    """The part `[C, T]` of at most `seconds` with the most energy, on a grid of half a second."""
    length = round(seconds * sample_rate)
    if audio.shape[1] <= length:
        return audio
    energy = audio.double().square().sum(0).cumsum(0)
    starts = range(0, audio.shape[1] - length + 1, max(1, round(_STEP * sample_rate)))
    best = max(starts, key=lambda s: float(energy[s + length - 1] - energy[s]))
    return audio[:, best : best + length]


def make_clips(tools: Tools, task: ExampleTask) -> None:
    """Run every system whose clips are missing on the clip alone. A system that fails leaves none.

    The clip is coded by itself, so it differs a little from the same place of the whole recording.
    """
    audio, rate = task.recording.load()
    clip = loudest(audio, rate)
    for system in tools.systems:
        paths = {s: clip_path(task.out, task.recording, system.name, s) for s in system.settings}
        if all(path.exists() for path in paths.values()):
            continue
        next(iter(paths.values())).parent.mkdir(parents=True, exist_ok=True)
        try:
            for output in system.run(clip, rate):
                save_audio(paths[output.setting], output.audio, rate)
        except MemoryError:
            raise
        except Exception:  # whatever a foreign codec raises; the report says what is missing
            continue

"""What a port gave against what the reference gives, frame by frame."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from catok.conformance.kit import Variant
from catok.conformance.tasks import Direction, Task

TIE = 1e-4
"""A look-up of a smaller margin is a near tie: float32 may decide it either way.

Rounding in float32 moves the two distances by some 1e-6 of their sum, and the latents before them
by as much; 1e-4 leaves room for any order of summation.
"""
MIN_SNR = 80.0
"""dB in every frame. Float32 gives 105 and more, TensorFloat-32, float16 and bfloat16 40 to 70."""


@dataclass(frozen=True)
class Limits:
    """What passes: at least `equal` of the codes, and `snr` dB in every frame of sound."""

    equal: float = 1.0
    snr: float = MIN_SNR


@dataclass(frozen=True)
class Frame:
    """One frame of output.

    Of codes: how many were `judged`, how many of those are `equal`; `lost`: the margin of the first
    look-up that differs, None if none does; `tie`: that margin is below `TIE`, and neither it nor
    what follows it in the frame is judged. Of sound: `snr` in dB.
    """

    row: int
    recording: str
    index: int
    judged: int = 0
    equal: int = 0
    lost: float | None = None
    tie: bool = False
    snr: float | None = None

    def is_right(self, limits: Limits) -> bool:
        """Whether it passes, were it alone."""
        return self.equal == self.judged if self.snr is None else self.snr >= limits.snr


@dataclass(frozen=True)
class Outcome:
    """A task's frames; `fault` is what went wrong as a whole, `absent` why it was not offered.

    `window`: the smallest of the model, in frames. `chunk`: frames of the longest step, 0 where
    there are no steps.
    """

    check: str
    setting: str
    direction: Direction
    window: float
    chunk: int
    limits: Limits
    frames: tuple[Frame, ...] = ()
    fault: str = ""
    absent: str = ""

    @property
    def passed(self) -> bool:
        """Nothing is wrong; what is not offered is not wrong."""
        if self.direction == "encode":
            good = self.share() is None or self.share() >= self.limits.equal  # type: ignore
        else:
            good = all(frame.is_right(self.limits) for frame in self.frames)
        return good and not self.fault

    def share(self, within: bool | None = None) -> float | None:
        """The share of equal codes: of all frames, within the smallest window, or past it."""
        chosen = [f for f in self.frames if f.snr is None and self._is_in(f, within)]
        judged = sum(frame.judged for frame in chosen)
        return sum(frame.equal for frame in chosen) / judged if judged else None

    def snr(self, within: bool | None = None) -> float | None:
        """The worst frame's SNR in dB; of all frames, within the smallest window, or past it."""
        figures = [f.snr for f in self.frames if f.snr is not None and self._is_in(f, within)]
        return min(figures) if figures else None

    @property
    def ties(self) -> int:
        """Frames that a near tie sent another way."""
        return sum(frame.tie for frame in self.frames)

    @property
    def lost(self) -> float:
        """The largest margin that was lost: 0 where no code differs."""
        return max((frame.lost or 0.0 for frame in self.frames), default=0.0)

    @property
    def first_wrong(self) -> Frame | None:
        """The wrong frame that is earliest in its recording."""
        wrong = [frame for frame in self.frames if not frame.is_right(self.limits)]
        return min(wrong, key=lambda frame: frame.index, default=None)

    def _is_in(self, frame: Frame, within: bool | None) -> bool:
        return within is None or within == (frame.index < max(1, int(self.window)))


def judge(
    variant: Variant, task: Task, give: Callable[[], Sequence[np.ndarray]], limits: Limits
) -> Outcome:
    """Run a task and compare. `give` returns a row each: codes `[K, F]` or audio `[C, T]`."""
    chunk = max((step.frames for step in task.steps or ()), default=0)
    window = variant.windows[0]
    empty = Outcome(task.check, task.setting, task.direction, window, chunk, limits)
    try:
        rows = [np.asarray(row) for row in give()]
    except NotOffered as absent:
        return _replaced(empty, absent=str(absent))
    except Exception as error:  # of somebody else's code
        text = " ".join(str(error).split()) or "no message"
        return _replaced(empty, fault=f"{type(error).__name__}: {text}")
    if len(rows) != len(task.places):
        return _replaced(empty, fault=f"{len(rows)} rows where {len(task.places)} were asked for")
    compare = _compare_codes if task.direction == "encode" else _compare_sound
    frames: list[Frame] = []
    faults: list[str] = []
    for row, output in enumerate(rows):
        judged, fault = compare(variant, task, row, output)
        frames += judged
        faults += [fault] if fault else []
    return _replaced(empty, frames=tuple(frames), fault="; ".join(dict.fromkeys(faults)))


class NotOffered(Exception):
    """A port does not do this, and says so."""


def _replaced(outcome: Outcome, **changes) -> Outcome:
    return Outcome(**{**outcome.__dict__, **changes})


def _compare_codes(
    variant: Variant, task: Task, row: int, codes: np.ndarray
) -> tuple[list[Frame], str]:
    places = task.places[row]
    if codes.ndim != 2 or codes.shape[0] != task.depth:
        return [], f"codes of shape {list(codes.shape)} where [{task.depth}, F] was asked for"
    fault = ""
    if codes.shape[1] != len(places):
        fault = f"{codes.shape[1]} frames where there are {len(places)}"
    frames = []
    for at, place in enumerate(places):
        if place is None:
            continue
        recording = variant.recordings[place[0]]
        expected = recording.codes[: task.depth, place[1]]
        given = codes[:, at] if at < codes.shape[1] else np.full(task.depth, -1)
        differs = np.flatnonzero(given != expected)
        judged, lost, tie = task.depth, None, False
        if len(differs):
            lost = float(recording.margins[differs[0], place[1]])
            tie = lost < TIE and at < codes.shape[1]
            judged = int(differs[0]) if tie else judged
        equal = int((given == expected)[:judged].sum())
        frames.append(Frame(row, place[0], place[1], judged, equal, lost, tie))
    return frames, fault


def _compare_sound(
    variant: Variant, task: Task, row: int, audio: np.ndarray
) -> tuple[list[Frame], str]:
    size, channels = variant.config.frame_size, variant.config.channels
    total = task.lengths[row]
    if audio.ndim != 2 or audio.shape[0] != channels:
        return [], f"audio of shape {list(audio.shape)} where [{channels}, T] was asked for"
    fault = ""
    if audio.shape[1] != total:
        fault = f"{audio.shape[1]} samples where there are {total}"
    frames = []
    for at, place in enumerate(task.places[row]):
        if place is None:
            continue
        stop = min((at + 1) * size, total)
        given = np.zeros((channels, stop - at * size))
        there = audio[:, at * size : stop]
        given[:, : there.shape[1]] = there
        sound = variant.recordings[place[0]].decoded[task.depth]
        expected = sound[:, place[1] * size : place[1] * size + given.shape[1]]
        known = ~np.isnan(expected)
        snr = _snr(expected[known].astype(np.float64), given[known])
        frames.append(Frame(row, place[0], place[1], snr=snr))
    return frames, fault


def _snr(expected: np.ndarray, given: np.ndarray) -> float:
    noise = float(np.square(expected - given).sum())
    if not math.isfinite(noise):
        return -math.inf
    signal = float(np.square(expected).sum())
    return 10 * math.log10(max(signal, 1e-12) / max(noise, signal * 1e-20, 1e-32))

"""Where somebody speaks in a stream: by loudness, frame by frame."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from catok.lm.asr.segmentation import LoudnessMeter

LEAST_LOUDNESS = 0.005  # root mean square: what is quieter is never speech
ABOVE_FLOOR = 3.0  # times the loudness of the background
FLOOR_RISE = 1.02  # of the background's estimate, per frame


@dataclass(frozen=True)
class Turn:
    """A `kind` of change, and the sample of the stream at which it is."""

    kind: Literal["started", "stopped"]
    sample: int


class VoiceActivity:
    """Tells when speech starts and stops in audio `[C, n]` that comes in.

    A frame is speech when it is louder than `LEAST_LOUDNESS` and than `ABOVE_FLOOR` times the
    background, whose estimate follows quiet frames at once and loud ones slowly. Speech stops after
    `silence_seconds` without such a frame.
    """

    def __init__(
        self, channels: int, sample_rate: int, frame_size: int, silence_seconds: float = 0.5
    ) -> None:
        self._meter = LoudnessMeter(channels, frame_size)
        self._frame_size = frame_size
        self._patience = max(1, round(silence_seconds * sample_rate / frame_size))
        self._floor: float | None = None
        self._frame = self._quiet = 0
        self.speaking = False

    def push(self, samples: Tensor) -> list[Turn]:
        """The next audio; what has changed in it, in order."""
        return [turn for each in self._meter.push(samples).tolist() for turn in self._hear(each)]

    def _hear(self, loudness: float) -> list[Turn]:
        floor = loudness if self._floor is None else self._floor
        self._floor = min(loudness, max(floor, 1e-4) * FLOOR_RISE)
        # the very first frame is no background yet: it may be speech
        background = 0.0 if self._frame == 0 else floor
        loud = loudness > max(LEAST_LOUDNESS, ABOVE_FLOOR * background)
        self._frame += 1
        self._quiet = 0 if loud else self._quiet + 1
        if loud and not self.speaking:
            self.speaking = True
            return [Turn("started", (self._frame - 1) * self._frame_size)]
        if self.speaking and self._quiet >= self._patience:
            self.speaking = False
            return [Turn("stopped", self._frame * self._frame_size)]
        return []

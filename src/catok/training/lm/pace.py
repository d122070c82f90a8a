"""How fast a run goes: rows, and seconds of audio, per second, and what of it was padding."""

import time

from catok.training.engine.throughput import WaitingTime
from catok.training.lm.batches import TokenBatch


class Pace(WaitingTime):
    """Counts what was read since the last summary, over `world` processes alike."""

    def __init__(self, world: int, frame_rate: float) -> None:
        self._world, self._frame_rate = world, frame_rate
        self.restart()

    def restart(self) -> None:
        """Begin to count anew."""
        super().restart()
        self._rows, self._real, self._frames = 0, 0, 0

    def read(self, batches: list[TokenBatch]) -> None:
        """A step was made of these micro-batches."""
        for batch in batches:
            self._rows += batch.mask.numel()
            self._real += int(batch.mask.sum())
            self._frames += batch.frames

    def summary(self) -> dict[str, float]:
        """What there is to log since the last one."""
        took = max(1e-9, time.monotonic() - self._started)
        found = {
            "rows_per_second": round(self._world * self._real / took, 1),
            "frames_per_second": round(self._world * self._frames / took, 1),
            "audio_per_second": round(self._world * self._frames / self._frame_rate / took, 2),
            "padding_share": round(1 - self._real / max(1, self._rows), 3),
            "waiting_share": round(self._waited / took, 3),
        }
        self.restart()
        return found

"""How fast a run goes: audio-seconds per second, and how much of the time it waits for data."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from catok.training.codec.data import Batch

T = TypeVar("T")


class WaitingTime:
    """How long a run has waited for data since `restart`."""

    def restart(self) -> None:
        """Begin to count anew."""
        self._started, self._waited = time.monotonic(), 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time spent within it is spent waiting for data."""
        before = time.monotonic()
        yield
        self._waited += time.monotonic() - before

    def timed(self, stream: Iterator[T]) -> Iterator[T]:
        """The stream, each wait for its next item counted."""
        while True:
            with self.waiting():
                item = next(stream, None)
            if item is None:
                return
            yield item


class Pace(WaitingTime):
    """Counts what was heard since the last summary, over `world` processes alike."""

    def __init__(self, world: int, sample_rate: int) -> None:
        self._world, self._rate = world, sample_rate
        self._skipped = 0
        self.restart()

    def restart(self) -> None:
        """Begin to count anew."""
        super().restart()
        self._samples = 0

    def heard(self, batches: list[Batch]) -> None:
        """A step was made of these micro-batches."""
        for batch in batches:
            self._samples += batch.audio.shape[0] * batch.audio.shape[2]
            self._skipped += len(batch.skipped)

    def summary(self) -> dict[str, float]:
        """What there is to log since the last one. Skipped files are counted from the start."""
        took = max(1e-9, time.monotonic() - self._started)
        seconds = self._world * self._samples / self._rate
        summary = {
            "audio_per_second": round(seconds / took, 2),
            "waiting_share": round(self._waited / took, 3),
            "skipped_files": float(self._skipped),
        }
        self.restart()
        return summary

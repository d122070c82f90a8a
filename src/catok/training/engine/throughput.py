"""How fast a run goes: audio-seconds per second, and how much of the time it waits for data."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")

Processed = tuple[Mapping[str, float], Mapping[str, tuple[float, float]]]
"""What a step processed: amounts by name, and shares by name, each a part of a whole."""


class Throughput:
    """Counts what was processed since the last summary, over `world_size` processes alike."""

    def __init__(self, world_size: int) -> None:
        self._world_size = world_size
        self.restart()

    def restart(self) -> None:
        """Begin to count anew."""
        self._started, self._waited = time.monotonic(), 0.0
        self._amounts: Counter[str] = Counter()
        self._shares: dict[str, tuple[float, float]] = {}

    def timed(self, stream: Iterator[T]) -> Iterator[T]:
        """The stream, each wait for its next item counted."""
        while True:
            before = time.monotonic()
            item = next(stream, None)
            self._waited += time.monotonic() - before
            if item is None:
                return
            yield item

    def update(
        self, amounts: Mapping[str, float], shares: Mapping[str, tuple[float, float]] | None = None
    ) -> None:
        """A step has processed these `amounts` by name, and `shares`: a part of a whole each."""
        self._amounts.update(amounts)
        for name, (part, whole) in (shares or {}).items():
            before = self._shares.get(name, (0.0, 0.0))
            self._shares[name] = before[0] + part, before[1] + whole

    def summary(self) -> dict[str, float]:
        """NAME_per_second of every amount, NAME_share of every share, and the share of waiting."""
        took = max(1e-9, time.monotonic() - self._started)
        summary = {
            f"{name}_per_second": round(self._world_size * amount / took, 2)
            for name, amount in self._amounts.items()
        }
        shares = self._shares | {"waiting": (self._waited, took)}
        summary |= {
            f"{name}_share": round(part / max(1e-9, whole), 3)
            for name, (part, whole) in shares.items()
        }
        self.restart()
        return summary

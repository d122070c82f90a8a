"""What a step reads, decided before anything is read."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from catok.training.codec.data.reading import Crop

if TYPE_CHECKING:
    from lhotse.cut.data import DataCut as Cut

T = TypeVar("T")
SPARES = 64  # recordings at hand to replace those that cannot be read

Draw = Callable[[int], Crop]  # attempt -> crop: attempt 0 is wanted, later ones are replacements


class Draws(Protocol):
    """Chooses the crops of this rank; the same step always gives the same draws."""

    hours: dict[str, float]

    def rows(self, step: int) -> list[Draw]:
        """One draw per row of the step's batch. Reads no audio."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What has to be equal for a resumed run to go on with the same batches."""
        ...


@dataclass(frozen=True)
class Picked:
    """The cuts of one batch, and cuts near it in the stream to replace unreadable ones."""

    cuts: list[Cut]
    spares: list[Cut]


def with_spares(batches: Iterator[list[Cut]]) -> Iterator[Picked]:
    """Look ahead in a stream of batches, so that each has spares."""
    ahead: deque[list[Cut]] = deque()
    while True:
        while sum(map(len, ahead)) <= SPARES:
            batch = next(batches, None)
            if batch is None:
                break
            ahead.append(batch)
        if not ahead:
            return
        cuts = ahead.popleft()
        yield Picked(cuts, [cut for batch in ahead for cut in batch] or cuts)


class Cursor(Generic[T]):
    """Random access to a repeatable stream: going forward is cheap, going back starts anew."""

    def __init__(self, start: Callable[[], Iterator[T]]) -> None:
        self._start, self._lock = start, threading.Lock()
        self._stream: Iterator[T] | None = None
        self._at, self._last = -1, None

    def at(self, index: int) -> T:
        """Element `index` of the stream. Raises ValueError when the stream ends before it."""
        with self._lock:
            if self._stream is None or index < self._at:
                self._stream, self._at = self._start(), -1
            while self._at < index:
                self._last = next(self._stream, None)
                if self._last is None:
                    raise ValueError("no recording passes domain_weights and min_band_edge")
                self._at += 1
            assert self._last is not None
            return self._last

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
FALLBACKS = 64  # recordings at hand to replace those that cannot be read

CropRequest = Callable[[int], Crop]
"""Number of the attempt -> crop: that of attempt 0, or one in its place if it cannot be read."""


class RequestSampler(Protocol):
    """Chooses the crops of this rank; the same step always gives the same crops."""

    hours: dict[str, float]

    def rows(self, step: int) -> list[CropRequest]:
        """One request per row of the step's batch. Reads no audio."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What has to be equal for a resumed run to go on with the same batches."""
        ...


@dataclass(frozen=True)
class CutBatch:
    """The cuts of one batch, and cuts near it in the stream to replace unreadable ones."""

    cuts: list[Cut]
    fallbacks: list[Cut]


def with_fallbacks(batches: Iterator[list[Cut]]) -> Iterator[CutBatch]:
    """Look ahead in a stream of batches, so that each has fallbacks."""
    ahead: deque[list[Cut]] = deque()
    while True:
        while sum(map(len, ahead)) <= FALLBACKS:
            batch = next(batches, None)
            if batch is None:
                break
            ahead.append(batch)
        if not ahead:
            return
        cuts = ahead.popleft()
        yield CutBatch(cuts, [cut for batch in ahead for cut in batch] or cuts)


class SeekableStream(Generic[T]):
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

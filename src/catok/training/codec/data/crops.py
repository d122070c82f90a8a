"""What a step reads, decided before anything is read; random crops of recordings in memory."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from catok.training.codec.data.cuts import domain_of
from catok.training.codec.data.data_config import DataConfig, no_recording_of
from catok.training.codec.data.mixture import Corpora, cut_filter, iter_cuts
from catok.training.codec.data.reading import Crop, random_crop

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


class CropSampler:
    """Chooses rows; a domain's recordings are drawn in proportion to duration and corpus weight.

    Rank r of `world` draws rows r * B to (r + 1) * B - 1 of the step's global batch, B being
    `config.batch_size`. Raises ValueError when nothing, or a weighted domain, is left to draw.
    """

    def __init__(
        self, corpora: Corpora, config: DataConfig, *, seconds: float, seed: int, rank: int = 0
    ) -> None:
        self.seconds, self.seed, self.weights = seconds, seed, config.domain_weights
        first = rank * config.batch_size
        self._rows = range(first, first + config.batch_size)
        self._cuts: dict[str, list[Cut]] = {}
        masses: dict[str, list[float]] = {}
        self.hours: dict[str, float] = {}
        keep = cut_filter(config)
        for cuts, weight in corpora:
            kept = [cut for cut in iter_cuts(cuts) if keep(cut)]
            total = sum(cut.duration for cut in kept)
            for cut in kept:
                domain = domain_of(cut)
                self._cuts.setdefault(domain, []).append(cut)
                mass = cut.duration if weight is None else weight * cut.duration / total
                masses.setdefault(domain, []).append(mass)
                self.hours[domain] = self.hours.get(domain, 0.0) + cut.duration / 3600
        if not self._cuts:
            raise ValueError("no recording passes domain_weights and min_band_edge")
        absent = set(self.weights) - set(self._cuts)
        if absent:
            raise no_recording_of(absent)
        self._until = {name: list(accumulate(group)) for name, group in masses.items()}

    def rows(self, step: int) -> list[CropRequest]:
        """One request per row of this rank; step may be negative."""
        return [partial(self._draw, step, row) for row in self._rows]

    def state_dict(self) -> dict[str, Any]:
        """Empty: a step says it all."""
        return {}

    def _draw(self, step: int, row: int, attempt: int) -> Crop:
        again = f"/{attempt}" if attempt else ""
        rng = random.Random(f"{self.seed}/{step}/{row}{again}")
        names = list(self._cuts)
        weights = [self.weights.get(name, self._until[name][-1]) for name in names]
        domain = rng.choices(names, weights)[0]
        cut = rng.choices(self._cuts[domain], cum_weights=self._until[domain])[0]
        return random_crop(cut, self.seconds, rng)

"""Whole recordings in batches of similar length, by lhotse's dynamic bucketing."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from catok.training.codec.data.crops import (
    CropRequest,
    CutBatch,
    SeekableStream,
    with_fallbacks,
)
from catok.training.codec.data.data_config import DataConfig
from catok.training.codec.data.mixture import Corpora, iter_cuts, mix_corpora
from catok.training.codec.data.reading import Crop, random_crop

if TYPE_CHECKING:
    from lhotse import CutSet
    from lhotse.cut.data import DataCut as Cut

_ESTIMATE = 1000  # recordings from which the buckets' limits are estimated
_ROUNDING = 1e-3  # seconds by which a duration may miss its bucket's limit


@dataclass(frozen=True)
class SplitLongCuts:
    """Cuts as they are, but of one longer than `seconds` random pieces of that length.

    As many pieces as its duration holds, so that long recordings count by their hours.
    """

    cuts: Iterable[Cut]
    seconds: float
    seed: str

    def __iter__(self) -> Iterator[Cut]:
        rng = random.Random(self.seed)
        for cut in self.cuts:
            if cut.duration <= self.seconds:
                yield cut
                continue
            for _ in range(max(1, int(cut.duration / self.seconds))):
                offset = rng.uniform(0, cut.duration - self.seconds)
                yield cut.truncate(offset=offset, duration=self.seconds, preserve_id=True)


def bucket_lengths(cuts: list[Cut], config: DataConfig) -> list[float]:
    """The longest duration in seconds of each bucket, such that buckets hold about equal hours.

    The longest of `cuts` ends a bucket of its own: many pieces of `max_seconds` do not crowd out
    the others, and a `max_seconds` far beyond all recordings costs nothing.
    """
    from lhotse.dataset.sampling.dynamic_bucketing import estimate_duration_buckets

    longest = min(max(cut.duration for cut in cuts), config.max_seconds)
    shorter = [cut for cut in cuts if cut.duration < longest - _ROUNDING]
    count = min(config.num_buckets - 1, len(shorter))
    lengths = estimate_duration_buckets(shorter, count) if count > 1 else []
    ends = [max(cut.duration for cut in shorter)] if shorter else []
    return sorted({*map(float, lengths), *ends, longest, config.max_seconds})


class Buckets:
    """Chooses batches of at most `config.batch_seconds`, padding included; similar on all ranks.

    A bucket's batches are all of the same size: lhotse's own rule by total duration would let one
    long recording join many short ones and break the bound.
    All ranks list the same stream and take turns in its batches. A step far from the last one
    asked for costs a pass over the references in between; no audio is read for it.
    """

    def __init__(
        self, corpora: Corpora, config: DataConfig, *, seed: int, rank: int = 0, world: int = 1
    ) -> None:
        self.hours: dict[str, float] = {}
        self._corpora, self._config = corpora, config
        self._seed, self._rank, self._world = seed, rank, world
        self._lengths: list[float] | None = None
        self._after = SeekableStream(partial(self._start, "after"))
        self._before = SeekableStream(partial(self._start, "before"))  # negative steps

    def rows(self, step: int) -> list[CropRequest]:
        """One request per row of this rank; their number varies with their length."""
        batch = self._after.at(step) if step >= 0 else self._before.at(-1 - step)
        keys = [f"{self._seed}/{step}/{self._rank}/{row}" for row in range(len(batch.cuts))]
        return [partial(self._draw, batch, row, key) for row, key in enumerate(keys)]

    def state_dict(self) -> dict[str, Any]:
        """How many ranks take turns."""
        return {"world": self._world}

    def _draw(self, batch: CutBatch, row: int, key: str, attempt: int) -> Crop:
        rng = random.Random(f"{key}/{attempt}")
        longest = max(cut.duration for cut in batch.cuts)
        cut = batch.cuts[row]
        if attempt:
            fitting = [fallback for fallback in batch.fallbacks if fallback.duration <= longest]
            cut = rng.choice(fitting or batch.fallbacks)
        return random_crop(cut, min(cut.duration, longest), rng)

    def _start(self, side: str) -> Iterator[CutBatch]:
        from lhotse.dataset.sampling.dynamic_bucketing import (
            DynamicBucketingSampler,
            FixedBucketBatchSizeConstraint,
        )

        stream = self._stream(side)
        if self._lengths is None:
            known = islice(iter_cuts(stream), max(_ESTIMATE, self._config.num_buckets))
            self._lengths = bucket_lengths(list(known), self._config)
        lengths = self._lengths
        limits = [length + _ROUNDING for length in lengths]
        sampler = DynamicBucketingSampler(
            stream,
            constraint=FixedBucketBatchSizeConstraint(
                limits, [max(1, int(self._config.batch_seconds / length)) for length in lengths]
            ),
            duration_bins=limits[:-1],
            buffer_size=self._config.shuffle_buffer,
            shuffle=True,
            seed=random.Random(f"{self._seed}/{side}").getrandbits(32),
            rank=self._rank,
            world_size=self._world,
        )
        return with_fallbacks(list(cuts) for cuts in sampler)

    def _stream(self, side: str) -> CutSet:
        return mix_corpora(
            self._corpora, self._config, self._transform, seed=f"{self._seed}/{side}"
        )

    def _transform(self, cuts: Iterable[Cut], seed: str) -> Iterable[Cut]:
        return SplitLongCuts(cuts, self._config.max_seconds, f"{seed}/pieces")

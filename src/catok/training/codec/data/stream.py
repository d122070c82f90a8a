"""Random crops of streamed shards, shuffled through a buffer of references."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
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
from catok.training.codec.data.mixture import Corpora, DurationResampler, iter_cuts, mix_corpora
from catok.training.codec.data.reading import Crop, random_crop

if TYPE_CHECKING:
    from lhotse.cut.data import DataCut as Cut


class CropStream:
    """Chooses crops from a stream in which a recording comes as often as its length asks.

    Each rank reads its own shards. A step far from the last one asked for costs a pass over the
    references in between; no audio is read for it.
    """

    def __init__(
        self,
        corpora: Corpora,
        config: DataConfig,
        *,
        seconds: float,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.hours: dict[str, float] = {}
        self._corpora, self._config, self._seconds = corpora, config, seconds
        self._seed, self._rank, self._world = seed, rank, world
        self._after = SeekableStream(partial(self._start, "after"))
        self._before = SeekableStream(partial(self._start, "before"))  # negative steps

    def rows(self, step: int) -> list[CropRequest]:
        """One request per row of this rank."""
        batch = self._after.at(step) if step >= 0 else self._before.at(-1 - step)
        first = self._rank * self._config.batch_size
        keys = [f"{self._seed}/{step}/{first + row}" for row in range(len(batch.cuts))]
        return [partial(self._draw, batch, row, key) for row, key in enumerate(keys)]

    def state_dict(self) -> dict[str, Any]:
        """How many ranks share the shards."""
        return {"world": self._world}

    def _draw(self, batch: CutBatch, row: int, key: str, attempt: int) -> Crop:
        rng = random.Random(f"{key}/{attempt}")
        cut = rng.choice(batch.fallbacks) if attempt else batch.cuts[row]
        return random_crop(cut, self._seconds, rng)

    def _start(self, side: str) -> Iterator[CutBatch]:
        seed = f"{self._seed}/{side}"
        stream = mix_corpora(
            self._corpora,
            self._config,
            self._transform,
            seed=seed,
            rank=self._rank,
            world=self._world,
        )
        shuffling = random.Random(f"{seed}/{self._rank}/shuffle")
        cuts = iter_cuts(stream.shuffle(shuffling, self._config.shuffle_buffer))
        return with_fallbacks(iter(lambda: list(islice(cuts, self._config.batch_size)), []))

    def _transform(self, cuts: Iterable[Cut], seed: str) -> Iterable[Cut]:
        return DurationResampler(cuts, self._seconds, f"{seed}/{self._rank}/due")

"""Random crops of streamed shards, shuffled through a buffer of references."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from catok.training.codec.data.data_config import DataConfig
from catok.training.codec.data.draws import Cursor, Draw, Picked, with_spares
from catok.training.codec.data.mixture import Corpora, InProportion, listed, mixed
from catok.training.codec.data.reading import Crop, random_crop

if TYPE_CHECKING:
    from lhotse.cut.data import DataCut as Cut


class CropStream:
    """Draws crops from a stream in which a recording comes as often as its length asks.

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
        self._after = Cursor(partial(self._start, "after"))
        self._before = Cursor(partial(self._start, "before"))  # negative steps

    def rows(self, step: int) -> list[Draw]:
        """One draw per row of this rank."""
        picked = self._after.at(step) if step >= 0 else self._before.at(-1 - step)
        first = self._rank * self._config.batch_size
        keys = [f"{self._seed}/{step}/{first + row}" for row in range(len(picked.cuts))]
        return [partial(self._draw, picked, row, key) for row, key in enumerate(keys)]

    def state_dict(self) -> dict[str, Any]:
        """How many ranks share the shards."""
        return {"world": self._world}

    def _draw(self, picked: Picked, row: int, key: str, attempt: int) -> Crop:
        draw = random.Random(f"{key}/{attempt}")
        cut = draw.choice(picked.spares) if attempt else picked.cuts[row]
        return random_crop(cut, self._seconds, draw)

    def _start(self, side: str) -> Iterator[Picked]:
        seed = f"{self._seed}/{side}"
        stream = mixed(
            self._corpora,
            self._config,
            self._stage,
            seed=seed,
            rank=self._rank,
            world=self._world,
        )
        shuffling = random.Random(f"{seed}/{self._rank}/shuffle")
        cuts = listed(stream.shuffle(shuffling, self._config.shuffle_buffer))
        return with_spares(iter(lambda: list(islice(cuts, self._config.batch_size)), []))

    def _stage(self, cuts: Iterable[Cut], seed: str) -> Iterable[Cut]:
        return InProportion(cuts, self._seconds, f"{seed}/{self._rank}/due")

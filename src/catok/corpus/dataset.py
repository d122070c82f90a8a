"""Token shards as a data set for training: prefixes, shuffling, sharing, resuming."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from catok.corpus.ledger import TokenFolder
from catok.corpus.token_row import CodeSpace, TokenRow


class TokenDataset(IterableDataset):
    """The rows of a folder of token shards, each a dictionary.

    `codes` is `[K, F]` int64, then `id`, `num_samples` and the columns of the input. One pass gives
    every row once, over all `world` ranks and all worker processes of a `DataLoader` together.
    Shards of a folder by URL are fetched one after the other.

    `num_quantizers`: the first codebooks only; formats "memmap" and "cat" do not read the others.
    `shuffle`: another order of shards, and of the rows within each, in every pass (`seed`).
    """

    def __init__(
        self,
        path: str | Path,
        num_quantizers: int | None = None,
        *,
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        super().__init__()
        if not 0 <= rank < world:
            raise ValueError(f"rank must be from 0 to world - 1, got {rank} of {world}")
        self.folder = TokenFolder.open(path)
        self.space: CodeSpace = self.folder.settings.space
        if num_quantizers is not None and not 1 <= num_quantizers <= self.space.num_quantizers:
            raise ValueError(
                f"{path} holds {self.space.num_quantizers} codebooks, not {num_quantizers}"
            )
        self._sizes = {index: entry.rows for index, entry in self.folder.entries() if entry.rows}
        if not self._sizes:
            raise ValueError(f"{path} holds no rows: tokenize a corpus into it first")
        self.num_quantizers = num_quantizers
        self._shuffle, self._seed = shuffle, seed
        self._rank, self._world = rank, world
        self._epoch, self._done = 0, 0

    def __len__(self) -> int:
        """Rows of all ranks."""
        return sum(self._sizes.values())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """This rank's and worker's rows of the pass, from where `load_state_dict` left off."""
        info = get_worker_info()
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        consumer, consumers = self._rank * workers + worker, self._world * workers
        place = 0  # in the order of the whole pass
        own = 0
        for shard in self._shards():
            size = self._sizes[shard]
            order = self._order(shard, size)
            mine = [i for i in range(size) if (place + i) % consumers == consumer]
            place += size
            skipped = min(max(0, self._done - own), len(mine))
            own += len(mine)
            if skipped == len(mine):
                continue
            rows = self._read(shard, {int(order[i]) for i in mine[skipped:]})
            for i in mine[skipped:]:
                self._done += 1
                yield _as_dict(rows[int(order[i])])
        self._epoch, self._done = self._epoch + 1, 0

    def state_dict(self) -> dict[str, int]:
        """Where the pass of this rank is, counted in rows given; without worker processes."""
        return {"epoch": self._epoch, "rows": self._done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from what `state_dict` gave: the next pass begins after those rows."""
        self._epoch, self._done = int(state["epoch"]), int(state["rows"])

    def _shards(self) -> list[int]:
        shards = sorted(self._sizes)
        if not self._shuffle:
            return shards
        draw = np.random.default_rng([self._seed, self._epoch])
        return [shards[i] for i in draw.permutation(len(shards))]

    def _order(self, shard: int, size: int) -> np.ndarray:
        if not self._shuffle:
            return np.arange(size)
        return np.random.default_rng([self._seed, self._epoch, shard]).permutation(size)

    def _read(self, shard: int, wanted: set[int]) -> dict[int, TokenRow]:
        rows = self.folder.rows(shard, self.num_quantizers)
        return {number: row for number, row in enumerate(rows) if number in wanted}


def _as_dict(row: TokenRow) -> dict[str, Any]:
    codes = torch.from_numpy(np.ascontiguousarray(row.codes.T).astype(np.int64))
    return {**row.columns, "id": row.id, "codes": codes, "num_samples": row.samples}

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
    every row once, over all `world` ranks and all worker processes of a `DataLoader` together; the
    ranks' numbers of rows differ by 1 at most. A pass that was broken off is over: the next begins
    with its first row. Shards of a folder by URL are fetched one after the other.

    `num_quantizers`: the first codebooks only; formats "memmap" and "cat" do not read the others.
    `shuffle`: another order of shards, and of the rows within each, in every pass (`seed`). Worker
    processes are copies that do not know of earlier passes: call `set_epoch` before each pass.
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
        self._epoch, self._given = 0, 0  # the next pass, and how many of its rows were given before
        self._position = (0, 0)  # the pass under way, and the rows it has given

    def __len__(self) -> int:
        """Rows of this rank in a whole pass."""
        return len(range(self._rank, sum(self._sizes.values()), self._world))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """This rank's and worker's rows of the next pass."""
        info = get_worker_info()
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        epoch, given = self._epoch, self._given
        self._epoch, self._given = epoch + 1, 0
        self._position = (epoch, given)
        place = 0  # in the order of the whole pass
        for shard in self._shards(epoch):
            wanted = []
            for number in self._order(epoch, shard):
                turn, rank = divmod(place, self._world)
                if rank == self._rank and turn >= given and turn % workers == worker:
                    wanted.append(int(number))
                place += 1
            rows = self._read(shard, set(wanted)) if wanted else {}
            for number in wanted:
                self._position = (epoch, self._position[1] + 1)
                yield _as_dict(rows[number])
        self._position = (epoch + 1, 0)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass, as worker processes need it (see above)."""
        if epoch != self._epoch:
            self._epoch, self._given = epoch, 0
            self._position = (epoch, 0)

    def state_dict(self) -> dict[str, int]:
        """Where the pass of this rank is, counted in rows given; without worker processes."""
        epoch, rows = self._position
        return {"epoch": epoch, "rows": rows}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from what `state_dict` gave: the next pass begins after those rows."""
        self._epoch, self._given = int(state["epoch"]), int(state["rows"])
        self._position = (self._epoch, self._given)

    def _shards(self, epoch: int) -> list[int]:
        shards = sorted(self._sizes)
        if not self._shuffle:
            return shards
        draw = np.random.default_rng([self._seed, epoch])
        return [shards[i] for i in draw.permutation(len(shards))]

    def _order(self, epoch: int, shard: int) -> np.ndarray:
        size = self._sizes[shard]
        if not self._shuffle:
            return np.arange(size)
        return np.random.default_rng([self._seed, epoch, shard]).permutation(size)

    def _read(self, shard: int, wanted: set[int]) -> dict[int, TokenRow]:
        rows = self.folder.rows(shard, self.num_quantizers)
        return {number: row for number, row in enumerate(rows) if number in wanted}


def _as_dict(row: TokenRow) -> dict[str, Any]:
    codes = torch.from_numpy(np.ascontiguousarray(row.codes.T).astype(np.int64))
    return {**row.columns, "id": row.id, "codes": codes, "num_samples": row.samples}

"""Shards of a corpus as one stream of cuts, or one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lhotse.cut.data import DataCut as Cut


class Shards:
    """Iterates over the cuts of all shards in order; `parts` are the shards one by one."""

    def __init__(self, shards: Sequence[Path], read: Callable[[Path], Iterator[Cut]]) -> None:
        self.parts: tuple[Iterable[Cut], ...] = tuple(_Shard(path, read) for path in shards)

    def __iter__(self) -> Iterator[Cut]:
        for part in self.parts:
            yield from part


@dataclass(frozen=True)
class _Shard:
    path: Path
    read: Callable[[Path], Iterator[Cut]]

    def __iter__(self) -> Iterator[Cut]:
        return self.read(self.path)

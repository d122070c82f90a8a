"""Uncompressed tar archives by reference: members are listed without reading their content.

A cut of a tar names archive, offset and size, so that shuffling, bucketing and resuming hold and
read no audio.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lhotse.cut.data import DataCut as Cut


@dataclass(frozen=True)
class Member:
    """A file inside an archive: `offset` and `size` in bytes."""

    archive: Path
    name: str
    offset: int
    size: int

    @property
    def reference(self) -> str:
        """What `open_reference` opens."""
        return f"{self.archive}:{self.offset}:{self.size}"

    def read(self) -> bytes:
        """The whole content."""
        with self.archive.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


def members(archive: Path) -> Iterator[Member]:
    """The files of an archive in their order. Raises ValueError where it is missing or damaged."""
    try:
        with tarfile.open(archive, "r:") as tar:
            while (info := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined] # tarfile would keep them all
                if info.isfile():
                    yield Member(archive, info.name, info.offset_data, info.size)
    except (tarfile.TarError, OSError) as error:
        raise ValueError(
            f"{archive} cannot be read ({error}): shards must be whole, uncompressed tar files"
        ) from error


class Window(io.RawIOBase):
    """Part of a file as a file of its own; str() gives its name, for messages."""

    def __init__(self, path: str | Path, offset: int, size: int) -> None:
        super().__init__()
        self.name = f"{path} at byte {offset}"
        self._file = open(path, "rb")  # noqa: SIM115 (closed by close)
        self._offset, self._size, self._at = offset, size, 0

    def __str__(self) -> str:
        return self.name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        view = memoryview(buffer)[: max(0, self._size - self._at)]
        self._file.seek(self._offset + self._at)
        count = self._file.readinto(view)
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def open_reference(reference: str) -> Window:
    """Open what `Member.reference` names. Raises OSError when the archive is gone."""
    path, offset, size = reference.rsplit(":", 2)
    return Window(path, int(offset), int(size))


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

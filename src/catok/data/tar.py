"""Uncompressed tar archives by reference: members are listed without reading their content.

A reference names archive, offset and size, so that shuffling, bucketing and resuming hold and read
no audio. Headers are parsed by the standard library and walked here: `tarfile` takes a damaged
header for the end of the archive, and reads extended headers of any size into memory.
"""

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from catok.io.files import reason

BLOCK = tarfile.BLOCKSIZE
MAX_EXTENDED = 1 << 20  # bytes of an extended header: names and the like, never gigabytes
_LONG_NAME, _LONG_LINK = tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
_PAX, _GLOBAL = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE), tarfile.XGLTYPE
_ZEROS = bytes(1 << 20)


@dataclass(frozen=True)
class Member:
    """An entry of an archive: `offset` and `size` of its content in bytes.

    `regular`: whether it is a file whose content lies there; links are not.
    """

    archive: Path
    name: str
    offset: int
    size: int
    regular: bool = True

    @property
    def reference(self) -> str:
        """What `open_reference` opens."""
        return f"{self.archive}:{self.offset}:{self.size}"

    def read(self, most: int = MAX_EXTENDED) -> bytes:
        """The whole content. Raises ValueError where it is more than `most` bytes or is gone."""
        if self.size > most:
            raise ValueError(f"{self.name} in {self.archive} is larger than {most >> 20} MiB")
        try:
            with self.archive.open("rb") as file:
                file.seek(self.offset)
                return file.read(self.size)
        except OSError as error:
            raise ValueError(f"{self.archive} cannot be read: {reason(error)}") from error


def members(archive: Path) -> Iterator[Member]:
    """The members of an archive in their order, folders left out.

    Raises ValueError where it is missing or damaged, after the members before the damage: a header
    that is none, a member that goes beyond the end, no zero block at the end. Archives that were
    joined end to end are read to the last.
    """
    try:
        with archive.open("rb") as file:
            yield from _TarWalk(archive, file)
    except (tarfile.TarError, OSError, ValueError) as error:
        raise ValueError(
            f"{archive} cannot be read ({reason(error)}): shards must be whole, uncompressed tar "
            "files"
        ) from error


class _TarWalk:
    def __init__(self, archive: Path, file: BinaryIO) -> None:
        self._archive, self._file = archive, file
        self._end = os.fstat(file.fileno()).st_size
        self._at = 0

    def __iter__(self) -> Iterator[Member]:
        ended = False
        while self._at < self._end:
            if self._skip_zeros():
                ended = True
                continue
            ended = False
            member = self._member()
            if member is not None:
                yield member
        if not ended:
            raise ValueError(f"no end-of-archive mark at byte {self._end}: it was cut off")

    def _skip_zeros(self) -> bool:
        """Go beyond the zero blocks that follow; whether there are any."""
        start = self._at
        self._file.seek(start)
        while content := self._file.read(len(_ZEROS) if self._at > start else BLOCK):
            if content != _ZEROS[: len(content)]:
                plain = len(content) - len(content.lstrip(b"\0"))
                self._at += plain // BLOCK * BLOCK
                break
            self._at += len(content)
        return self._at > start

    def _member(self) -> Member | None:
        """The member whose headers begin here; None for folders and other things without use."""
        name: str | None = None
        size: int | None = None
        sparse = False
        while True:
            info = self._header()
            if info.type in (_LONG_NAME, _LONG_LINK):
                content = self._extended(info)
                if info.type == _LONG_NAME:
                    name = _decoded(content.partition(b"\0")[0])
            elif info.type in _PAX:
                keys = _pax(self._extended(info))
                name = keys.get("path", name)
                sparse |= any(key.startswith("GNU.sparse.") for key in keys)
                if "size" in keys:
                    size = int(keys["size"])
            elif info.type == _GLOBAL:
                self._extended(info)
            else:
                break
        if size is None:
            size = info.size
        name = info.name if name is None else name
        if sparse or info.type == tarfile.GNUTYPE_SPARSE:
            raise ValueError(f"{name} is stored with holes: pack it without --sparse")
        held = 0 if info.type in _EMPTY else size
        start = self._at
        self._pass(held, name)
        if info.isdir() or info.ischr() or info.isblk() or info.isfifo():
            return None
        return Member(self._archive, name, start, held, info.isreg())

    def _header(self) -> tarfile.TarInfo:
        self._file.seek(self._at)
        block = self._file.read(BLOCK)
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            left = self._end - self._at
            raise ValueError(
                f"no header at byte {self._at} ({error}); {left} bytes from there on are left out"
            ) from error
        self._at += BLOCK
        return info

    def _extended(self, info: tarfile.TarInfo) -> bytes:
        if info.size > MAX_EXTENDED:
            raise ValueError(f"an extended header of {info.size} bytes at byte {self._at}")
        start = self._at
        self._pass(info.size, "an extended header")
        self._file.seek(start)
        return self._file.read(info.size)

    def _pass(self, size: int, name: str) -> None:
        """Go beyond `size` bytes of content, padded to whole blocks."""
        if not 0 <= size <= self._end - self._at:
            raise ValueError(f"{name} at byte {self._at} has a size of {size} bytes")
        self._at += -(-size // BLOCK) * BLOCK


_EMPTY = (
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.DIRTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.FIFOTYPE,
)


def _pax(content: bytes) -> dict[str, str]:
    """The records "length key=value" of an extended header. Raises ValueError on others."""
    records = {}
    while content:
        digits, _, _ = content.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 8 else 0
        record, content = content[:length], content[length:]
        key, sign, value = record[len(digits) + 1 : -1].partition(b"=")
        if not sign or not record.endswith(b"\n"):
            raise ValueError("a damaged extended header")
        records[_decoded(key)] = _decoded(value)
    return records


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


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

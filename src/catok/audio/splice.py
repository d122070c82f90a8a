"""A file made of pieces of another and of bytes of our own: read-only, and nothing is copied."""

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import BinaryIO

Piece = bytes | tuple[int, int]
"""Bytes as they are, or (start, length) in the base file."""

_READ_AHEAD = 1 << 14  # bytes: decoders ask for as few as four at a time


class Splice(io.RawIOBase):
    """The pieces one after the other, as a seekable file.

    Decoders in C call this through callbacks that cannot raise: an OSError of the base file ends
    the reading there and is kept in `error`, for the caller to raise.
    """

    def __init__(self, base: BinaryIO, pieces: Sequence[Piece]) -> None:
        self._base = base
        self._pieces = [piece for piece in pieces if _length(piece)]
        self._ends = list(accumulate(map(_length, self._pieces)))
        self._position = 0
        self._ahead, self._ahead_start = b"", 0
        self.farthest = 0  # the end of what has been read so far
        self.error: OSError | None = None

    @property
    def size(self) -> int:
        """Bytes of all pieces."""
        return self._ends[-1] if self._ends else 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go there; before the start is the start."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """Fill the buffer as far as the pieces go."""
        count = len(buffer)
        offset = self._position - self._ahead_start
        if not 0 <= offset <= offset + count <= len(self._ahead):
            self._ahead_start, offset = self._position, 0
            self._ahead = self._gathered(self._position, max(count, _READ_AHEAD))
        data = self._ahead[offset : offset + count]
        buffer[: len(data)] = data
        self._position += len(data)
        self.farthest = max(self.farthest, self._position)
        return len(data)

    def _gathered(self, position: int, count: int) -> bytes:
        parts = []
        while count > 0 and position < self.size and self.error is None:
            index = bisect_right(self._ends, position)
            piece = self._pieces[index]
            inside = position - (self._ends[index] - _length(piece))
            data = self._read(piece, inside, min(count, _length(piece) - inside))
            if not data:  # the base file has become shorter
                break
            parts.append(data)
            position += len(data)
            count -= len(data)
        return b"".join(parts)

    def _read(self, piece: Piece, inside: int, wanted: int) -> bytes:
        if isinstance(piece, bytes):
            return piece[inside : inside + wanted]
        try:
            self._base.seek(piece[0] + inside)
            return self._base.read(wanted)
        except OSError as error:
            self.error = error
            return b""


def _length(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece[1]

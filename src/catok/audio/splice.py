"""A file made of pieces of another and of bytes of our own: read-only, and nothing is copied."""

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import BinaryIO

Piece = bytes | tuple[int, int]
"""Bytes as they are, or (start, length) in the base file."""


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
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and self._position < self.size and self.error is None:
            index = bisect_right(self._ends, self._position)
            piece = self._pieces[index]
            inside = self._position - (self._ends[index] - _length(piece))
            wanted = min(len(view) - done, _length(piece) - inside)
            data = self._read(piece, inside, wanted)
            view[done : done + len(data)] = data
            done += len(data)
            self._position += len(data)
            if not data:  # the base file has become shorter
                break
        self.farthest = max(self.farthest, self._position)
        return done

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

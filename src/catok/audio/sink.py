"""Where encoded audio goes: errors of the disk come to light, the last flush included."""

import io
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from catok.io.files import StrPath, name_of, replacing


class Sink(io.RawIOBase):
    """A file for an encoder in C, whose calls cannot raise.

    The first OSError is kept, what follows it goes nowhere, and `check` raises it.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._error: OSError | None = None
        self.size = 0  # the end of what has been written

    def writable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def write(self, data) -> int:  # type: ignore[no-untyped-def]
        """All of `data`, or from the first error on nothing."""
        if self._error is None:
            try:
                done = 0
                while done < len(data):
                    done += self._file.write(data[done:]) or 0
                self.size = max(self.size, self._file.tell())
            except OSError as error:
                self._error = error
        return len(data)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """As of the file: what has been written."""
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of the file."""
        try:
            return self._file.seek(offset, whence)
        except OSError as error:  # a full disk: seeking flushes
            self._error = self._error or error
            return self._file.tell()

    def tell(self) -> int:
        """As of the file."""
        return self._file.tell()

    def check(self) -> None:
        """Raises OSError, with the file's name, if anything could not be written."""
        if self._error is not None:
            why = self._error.strerror or str(self._error)
            raise OSError(self._error.errno, f"cannot write {self._name}: {why}") from self._error

    def finish(self) -> None:
        """Bring everything to the disk. Raises OSError as `check` does."""
        self.check()
        try:
            self._file.flush()
            if hasattr(self._file, "fileno"):
                _synchronize(self._file)
        except OSError as error:
            self._error = error
            self.check()


@contextmanager
def open_sink(path_or_file: StrPath | BinaryIO) -> Iterator[Sink]:
    """Context of a sink; a path is replaced at the end, whole or not at all.

    Raises OSError when not all of it could be written, and ValueError as `replacing` does.
    """
    with ExitStack() as stack:
        if isinstance(path_or_file, (str, os.PathLike)):
            temporary = stack.enter_context(replacing(path_or_file))
            file: BinaryIO = stack.enter_context(open(temporary, "r+b", buffering=0))  # type: ignore[assignment]
        else:
            file = path_or_file
        sink = Sink(file, name_of(path_or_file))
        yield sink
        sink.finish()


def _synchronize(file: BinaryIO) -> None:
    try:
        handle = file.fileno()
    except (OSError, ValueError):  # in memory
        return
    os.fsync(handle)

"""What audio is read from: a path, a pipe with a name, or an open file."""

import io
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from typing import BinaryIO

from catok.io.files import StrPath, check_file_object, name_of, reason


@dataclass(frozen=True)
class Source:
    """Context of an open, seekable file, its name for messages and its size in bytes.

    What was opened here is closed at the end; the caller's files stay open. `path`: where another
    program finds the file, None if nowhere.
    """

    file: BinaryIO
    name: str
    size: int
    owned: bool
    path: str | None = None

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        if self.owned:
            self.file.close()


def open_source(path_or_file: StrPath | BinaryIO) -> Source:
    """Open what audio comes from; pipes are spooled, for audio formats need to seek.

    Raises ValueError when it is missing, a folder, a device, empty, open as text, or a file object
    that cannot seek.
    """
    name = name_of(path_or_file)
    if isinstance(path_or_file, (str, os.PathLike)):
        path = os.fspath(path_or_file)
        file = _opened(path, name)
        pipe = stat.S_ISFIFO(os.fstat(file.fileno()).st_mode)
        if pipe:
            file = _copied(file, tempfile.TemporaryFile())  # noqa: SIM115
        source = Source(file, name, _size(file), owned=True, path=None if pipe else path)
    else:
        check_file_object(path_or_file)
        if isinstance(path_or_file, io.TextIOBase):
            raise ValueError(f'{name} is open as text: open it with mode "rb"')
        if not path_or_file.seekable():
            raise ValueError(f"{name} cannot seek: wrap its content in io.BytesIO")
        source = Source(path_or_file, name, _size(path_or_file), owned=False)
    if source.size == 0:
        with source:
            raise ValueError(f"{name} is empty (0 bytes): record or export it again")
    return source


def _opened(path: str, name: str) -> BinaryIO:
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        if os.path.islink(path):
            raise ValueError(f"{name} is a link to a file that does not exist") from error
        raise ValueError(f"{name} does not exist: check the path") from error
    except (OSError, ValueError) as error:  # a name too long, with a null byte, a link to itself
        raise ValueError(
            f"{name[:200]} cannot be opened ({reason(error)}): check the path"
        ) from error
    if stat.S_ISDIR(mode):
        raise ValueError(f"{name} is a folder: give one audio file")
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
        raise ValueError(f"{name} is a device or a socket: give a file or a pipe")
    return open(path, "rb")


def _copied(pipe: BinaryIO, spool: BinaryIO) -> BinaryIO:
    with pipe:
        shutil.copyfileobj(pipe, spool)
    return spool


def _size(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size

"""Files: their names, and writing them so that a crash never leaves half of one."""

import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from catok.io.lock import is_at, try_lock

StrPath = str | os.PathLike[str]

LONGEST_NAME = 255  # bytes, on all common systems
_TEMPORARY = re.compile(r"\.catok-[0-9a-f]{8}-.+\.tmp", re.DOTALL)
_swept: set[str] = set()  # folders that this process has looked through for what others left


def name_of(path_or_file: StrPath | BinaryIO) -> str:
    """What to call a path or an open file in messages."""
    if isinstance(path_or_file, (str, os.PathLike)):
        return os.fspath(path_or_file)
    name = getattr(path_or_file, "name", None)  # of a temporary file: None, or its number
    return name if isinstance(name, str) and name else "the file object"


def check_file_object(file: object) -> None:
    """Raise ValueError for what is neither a path nor a file open for reading bytes."""
    if isinstance(file, (bytes, bytearray, memoryview)):
        raise ValueError("got bytes: give a path as text, or wrap a file's content in io.BytesIO")
    if not hasattr(file, "read") or not hasattr(file, "seekable"):
        raise ValueError(f"give a path or a file object, got {type(file).__name__}")


def reason(error: BaseException) -> str:
    """What an error says; of one of the operating system without its number and the file's name:
    "no such file or directory".
    """
    text = error.strerror if isinstance(error, OSError) else None
    return text[:1].lower() + text[1:] if text else str(error)


def is_pipe(path: StrPath) -> bool:
    """Whether a path names a pipe, as /dev/stdin or a shell's <(...) may: it can be read once."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


@contextmanager
def replacing(path: StrPath) -> Iterator[str]:
    """Context of a new temporary file beside `path`: yields its path, for the caller to fill.

    On a clean exit the temporary file takes the place of `path` in one step; on an exception it
    is removed and whatever `path` held before stays. A file that is replaced keeps its mode; a new
    one has that of the umask. The temporary file lies in a folder of its own, which is locked:
    one that a killed process left is removed by the next process that writes beside it.

    Raises ValueError when the folder does not exist or cannot be written, when the name is too
    long, or when `path` is a folder or a device.
    """
    target = os.path.realpath(path)  # a symbolic link keeps pointing at the new content
    folder, base = os.path.split(target)
    length = len(os.fsencode(base))
    if length > LONGEST_NAME:
        raise ValueError(
            f"cannot write a file of the name {base[:40]}...{base[-10:]}: it has {length} bytes, "
            f"a name may have {LONGEST_NAME}: choose a shorter one"
        )
    if not os.path.isdir(folder):
        raise ValueError(f"cannot write {path}: folder {folder} does not exist, create it first")
    if os.path.exists(target) and not os.path.isfile(target):
        raise ValueError(f"cannot write {path}: it is not a regular file, choose another name")
    try:
        place, lock = _temporary_folder(folder, base)
    except OSError as error:
        raise ValueError(f"cannot write in folder {folder}: {error.strerror}") from error
    try:
        temporary = os.path.join(place, base)
        with open(temporary, "xb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        with suppress(FileNotFoundError):
            mode = stat.S_IMODE(os.stat(target).st_mode)
        yield temporary
        os.chmod(temporary, mode)  # a writer that makes the file anew may have closed it to others
        os.replace(temporary, target)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _temporary_folder(folder: str, base: str) -> tuple[str, int | None]:
    """A new folder that only its owner can enter, and what locks it (None: no locks here)."""
    _sweep(folder)
    while True:
        place = os.path.join(folder, f".catok-{secrets.token_hex(4)}-{base[:50]}.tmp")
        os.mkdir(place, 0o700)
        try:
            lock = os.open(place, os.O_RDONLY)
        except OSError:
            if os.path.isdir(place):
                return place, None
            continue
        try:
            if try_lock(lock) and is_at(lock, place):
                return place, lock
        except OSError:
            return place, lock
        os.close(lock)  # another process took it for one that was left, before it was locked


def _sweep(folder: str) -> None:
    """Remove what killed processes left in `folder`; once, for a folder may hold many files."""
    if folder in _swept:
        return
    _swept.add(folder)
    left = []
    with suppress(OSError), os.scandir(folder) as entries:
        left = [
            entry.path
            for entry in entries
            if _TEMPORARY.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
        ]
    for place in left:
        with suppress(OSError):
            lock = os.open(place, os.O_RDONLY)
            try:
                if try_lock(lock):
                    shutil.rmtree(place, ignore_errors=True)
            finally:
                os.close(lock)

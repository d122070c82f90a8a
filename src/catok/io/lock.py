"""Locks between processes: one run to a folder, and no run after one that died."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK = ".lock"


@contextmanager
def folder_lock(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Context in which no other process, and no other context, may lock the same folder.

    The folder is made if there is none, and removed again if nothing was written into it. The lock
    ends with the context or with the process, however that ends: a run that was killed can be gone
    on with at once. While it is held, the file .lock in the folder names process and host. On a
    file system without locks there is none.

    Raises ValueError, with process and host, where the lock is held; OSError where the folder
    cannot be made or written.
    """
    path = Path(folder, LOCK)
    with made_folder(path.parent):
        descriptor = _locked(path)
        try:
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode())
            yield
        finally:
            path.unlink(missing_ok=True)  # still locked: who waits for it finds that it is gone
            os.close(descriptor)


@contextmanager
def made_folder(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Context in which there is a folder: made, with those above it, if need be, and removed again
    with them at the end where nothing was written into it. Raises OSError.
    """
    path = Path(folder).absolute()
    made = [place for place in (path, *path.parents) if not place.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with suppress(OSError):  # not empty: so are those above
            for place in made:
                place.rmdir()


def try_lock(descriptor: int) -> bool:
    """Lock an open file or folder until it is closed; False where another holds it.

    Raises OSError where the file system has no locks.
    """
    if fcntl is None:
        raise OSError(errno.ENOTSUP, "no file locks on this system")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(descriptor: int, path: str | os.PathLike[str]) -> bool:
    """The open file or folder is still what `path` names, not removed since it was opened."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _locked(path: Path) -> int:
    """A descriptor of the file `path`, locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not try_lock(descriptor):
                raise ValueError(_in_use_message(path, descriptor))
        except OSError:  # no locks here
            return descriptor
        except ValueError:
            os.close(descriptor)
            raise
        if is_at(descriptor, path):
            return descriptor
        os.close(descriptor)  # its holder ended, and removed it, after we opened it


def _in_use_message(path: Path, descriptor: int) -> str:
    process, _, host = os.pread(descriptor, 300, 0).decode(errors="replace").strip().partition(" ")
    holder = f"process {process} on {host}" if host else "another process"
    return (
        f"{path.parent} is in use by {holder}: wait until that ends, or choose another output "
        "folder"
    )

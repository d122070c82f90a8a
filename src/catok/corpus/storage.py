"""Where token shards lie: a folder of this machine, or of an object store behind an URL.

A file is put in its place whole, in one step, so that a writer that is killed leaves none of it.
Object stores do so by themselves; on other servers a file is uploaded under another name first.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Protocol

from catok.corpus.remote_lock import remote_lock
from catok.io.files import replacing
from catok.io.lock import folder_lock
from catok.io.remote import file_system, is_url, url_errors

WHOLE = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "az", "oci", "oss", "memory"))  # put at once


class Storage(Protocol):
    """A folder and the files in it, whose names may have slashes."""

    name: str

    def sizes(self, pattern: str) -> dict[str, int]:
        """Names of the files that match, in order, with their bytes."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        ...

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where there is none."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Put a file in its place."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens where there is none."""
        ...

    def reading(self, names: Sequence[str]) -> AbstractContextManager[Path]:
        """Context of a folder of this machine that holds these files."""
        ...

    def writing(self, last: str) -> AbstractContextManager[Path]:
        """Context of a folder of this machine to write files to, the file `last` in the end."""
        ...

    def lock(self, part: str) -> AbstractContextManager[None]:
        """Context in which no other run may lock the same part. Raises ValueError if one does."""
        ...


def storage_at(path: str | Path) -> Storage:
    """The storage that a path or an URL names; nothing is made or read yet."""
    return RemoteStorage(os.fspath(path)) if is_url(path) else LocalStorage(Path(path))


class LocalStorage:
    """A folder of a file system; it is made when something is written."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)

    def sizes(self, pattern: str) -> dict[str, int]:
        files = sorted(self.path.glob(pattern))
        return {str(file.relative_to(self.path)): file.stat().st_size for file in files}

    def exists(self, name: str) -> bool:
        return (self.path / name).exists()

    def read(self, name: str) -> bytes | None:
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ValueError(f"cannot read {self.path / name}: {error.strerror}") from error

    def write(self, name: str, content: bytes) -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path / name) as temporary:
            Path(temporary).write_bytes(content)

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    @contextmanager
    def reading(self, names: Sequence[str]) -> Iterator[Path]:
        yield self.path

    @contextmanager
    def writing(self, last: str) -> Iterator[Path]:
        self.path.mkdir(parents=True, exist_ok=True)
        yield self.path

    def lock(self, part: str) -> AbstractContextManager[None]:
        return folder_lock(self.path / part)


class RemoteStorage:
    """A folder behind an URL, through fsspec. Raises OSError where it cannot be reached."""

    def __init__(self, url: str) -> None:
        self.name = url.rstrip("/")

    def sizes(self, pattern: str) -> dict[str, int]:
        folder, _, last = pattern.rpartition("/")
        with self._system() as (system, root):
            place = f"{root}/{folder}".rstrip("/")
            try:
                listing = system.ls(place, detail=True)
            except FileNotFoundError:
                return {}
        prefix = f"{folder}/" if folder else ""
        sizes = {prefix + item["name"].rpartition("/")[2]: item for item in listing}
        return {
            name: int(item["size"])
            for name, item in sorted(sizes.items())
            if item["type"] == "file" and fnmatch(name.rpartition("/")[2], last)
        }

    def exists(self, name: str) -> bool:
        with self._system() as (system, root):
            return system.isfile(f"{root}/{name}")

    def read(self, name: str) -> bytes | None:
        with self._system() as (system, root):
            try:
                return system.cat_file(f"{root}/{name}")
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        with tempfile.TemporaryDirectory() as place:
            file = Path(place, "file")
            file.write_bytes(content)
            self._put(file, name)

    def remove(self, name: str) -> None:
        with self._system() as (system, root):
            try:
                system.rm_file(f"{root}/{name}")
            except FileNotFoundError:
                return

    @contextmanager
    def reading(self, names: Sequence[str]) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as place:
            with self._system() as (system, root):
                for name in names:
                    system.get_file(f"{root}/{name}", str(Path(place, name)))
            yield Path(place)

    @contextmanager
    def writing(self, last: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as place:
            yield Path(place)
            for file in sorted(Path(place).iterdir(), key=lambda file: file.name == last):
                self._put(file, file.name)

    def lock(self, part: str) -> AbstractContextManager[None]:
        return remote_lock(self, f"{part}/.lock" if part else ".lock")

    def _put(self, file: Path, name: str) -> None:
        with self._system() as (system, root):
            target = f"{root}/{name}"
            kinds = system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)
            if WHOLE.intersection(kinds):
                system.put_file(str(file), target)
                return
            system.makedirs(target.rpartition("/")[0], exist_ok=True)
            system.put_file(str(file), f"{target}.tmp")
            system.mv(f"{target}.tmp", target)

    @contextmanager
    def _system(self) -> Iterator[tuple[Any, str]]:
        """The file system, which remembers nothing that others may have changed."""
        with url_errors(self.name):
            system, root = file_system(self.name)
            system.invalidate_cache()
            yield system, root.rstrip("/")

"""Files by URL, through fsspec: http(s)://, s3://, gs://, memory:// and whatever it knows."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+(::[a-zA-Z][a-zA-Z0-9+.-]+)*://")


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether a path names its protocol: "s3://bucket/a.wav"."""
    return _URL.match(os.fspath(path)) is not None


def url_in(parent: str, name: str) -> str:
    """What `name` means in a list at the URL `parent`: an URL itself, or beside the list."""
    return name if is_url(name) else f"{parent.rpartition('/')[0]}/{name}"


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Context of a file or an URL, open for reading, with seeking. Raises OSError."""
    if not is_url(path):
        with open(path, "rb") as file:
            yield file
        return
    url = os.fspath(path)
    with url_errors(url):
        if not _has_ranges(url):
            yield io.BytesIO(_content(url))
            return
        with _fsspec().open(url, "rb") as remote:
            yield cast(BinaryIO, remote)


def read_url(url: str) -> io.BytesIO:
    """The whole content of an URL, named by it. Raises OSError."""
    with url_errors(url), _fsspec().open(url, "rb", **_streamed(url)) as file:
        content = _Named(file.read())
    content.name = url
    return content


@lru_cache(maxsize=1000)
def _has_ranges(url: str) -> bool:
    """Parts of it can be read alone: not so from plain web servers."""
    if not url.startswith("http"):
        return True
    system, root = _fsspec().core.url_to_fs(url)
    return bool(system.info(root).get("partial"))


@lru_cache(maxsize=1)
def _content(url: str) -> bytes:
    """All of a file that cannot be read in parts; parts are asked for one after the other."""
    return read_url(url).getvalue()


def _streamed(url: str) -> dict[str, Any]:
    return {"block_size": 0} if url.startswith("http") else {}


@dataclass(frozen=True)
class RemoteFile:
    """A file of a listing: `name` is relative to what was listed; `version` changes when the file
    is replaced: its size, and time of change or entity tag where the server gives one.
    """

    url: str
    name: str
    version: str


def list_url(url: str) -> list[RemoteFile]:
    """The files at or below an URL, in order. Raises OSError where nothing is there."""
    with url_errors(url):
        system, root = _fsspec().core.url_to_fs(url)
        if system.isfile(root):
            return [RemoteFile(url, url.rpartition("/")[2], _version(system.info(root)))]
        listing = system.find(root, detail=True)
    files = [
        RemoteFile(
            path if is_url(path) else system.unstrip_protocol(path),
            path.removeprefix(root).lstrip("/"),
            _version(facts),
        )
        for path, facts in sorted(listing.items())
    ]
    if not files:
        raise OSError(f"nothing at {url}")
    return files


def url_version(url: str) -> str:
    """Changes when the file is replaced, see `list_url`. Raises OSError."""
    with url_errors(url):
        system, root = _fsspec().core.url_to_fs(url)
        return _version(system.info(root))


def stat_version(path: str | Path) -> str:
    """Size and time of change of a local file: differs once it was replaced. Raises OSError."""
    facts = os.stat(path)
    return f"{facts.st_size}-{facts.st_mtime_ns}"


def file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of an URL, and the path there. Raises OSError."""
    with url_errors(url):
        return _fsspec().core.url_to_fs(url)


class _Named(io.BytesIO):
    name = ""


def _version(facts: dict[str, Any]) -> str:
    changed = [facts.get(key) for key in ("ETag", "etag", "mtime", "LastModified", "created")]
    marks = [str(mark).strip('"') for mark in changed if mark is not None]
    return "-".join([str(facts.get("size")), *marks[:1]]).replace(" ", "T")


@contextmanager
def url_errors(url: str) -> Iterator[None]:
    """Context in which whatever a file system's client raises is an OSError with the URL."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{url} cannot be reached: {error or type(error).__name__}") from error
    except (GeneratorExit, KeyboardInterrupt):
        raise
    except ImportError as error:
        raise ValueError(f"{url} needs another package: {error}") from error
    except Exception as error:  # clients have exceptions of their own
        if type(error).__module__.startswith("catok") or isinstance(error, ValueError):
            raise
        raise OSError(f"{url} cannot be reached: {error}") from error


def _fsspec() -> Any:
    try:
        import fsspec
    except ImportError as error:
        raise ValueError("URLs need fsspec: pip install fsspec") from error
    return fsspec

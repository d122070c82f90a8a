"""Files by URL, through fsspec: http(s)://, s3://, gs://, memory:// and whatever it knows."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
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
    with _errors(os.fspath(path)), _fsspec().open(os.fspath(path), "rb") as remote:
        yield cast(BinaryIO, remote)


def read_url(url: str) -> io.BytesIO:
    """The whole content of an URL, named by it. Raises OSError."""
    with opened(url) as file, _errors(url):
        content = _Named(file.read())
    content.name = url
    return content


def list_url(url: str) -> dict[str, str]:
    """The files at or below an URL, with the version of each, in order.

    The version changes when the file is replaced: its size, and time of change or entity tag where
    the server gives one. Raises OSError where nothing is there.
    """
    with _errors(url):
        system, root = _fsspec().core.url_to_fs(url)
        if system.isfile(root):
            return {url: _version(system.info(root))}
        found = system.find(root, detail=True)
    protocol = url.partition("://")[0]
    listed = {
        path if is_url(path) else f"{protocol}://{path.removeprefix('//')}": _version(facts)
        for path, facts in found.items()
    }
    if not listed:
        raise OSError(f"nothing at {url}")
    return dict(sorted(listed.items()))


def url_version(url: str) -> str:
    """Changes when the file is replaced, see `list_url`. Raises OSError."""
    with _errors(url):
        system, root = _fsspec().core.url_to_fs(url)
        return _version(system.info(root))


def stat_version(path: str | Path) -> str:
    """Size and time of change of a local file: differs once it was replaced. Raises OSError."""
    facts = os.stat(path)
    return f"{facts.st_size}-{facts.st_mtime_ns}"


class _Named(io.BytesIO):
    name = ""


def _version(facts: dict[str, Any]) -> str:
    changed = [facts.get(key) for key in ("ETag", "etag", "mtime", "LastModified", "created")]
    marks = [str(mark).strip('"') for mark in changed if mark is not None]
    return "-".join([str(facts.get("size")), *marks[:1]]).replace(" ", "T")


@contextmanager
def _errors(url: str) -> Iterator[None]:
    """Whatever a file system's client raises, as OSError with the URL."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{url} cannot be read: {error or type(error).__name__}") from error
    except (GeneratorExit, KeyboardInterrupt):
        raise
    except ImportError as error:
        raise ValueError(f"{url} needs another package: {error}") from error
    except Exception as error:  # clients have exceptions of their own
        if type(error).__module__.startswith("catok") or isinstance(error, ValueError):
            raise
        raise OSError(f"{url} cannot be read: {error}") from error


def _fsspec() -> Any:
    try:
        import fsspec
    except ImportError as error:
        raise ValueError("URLs need fsspec: pip install fsspec") from error
    return fsspec

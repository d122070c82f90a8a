"""Standard input and output as if they were files.

Pipes cannot seek, which audio formats and `.cat` need: they are spooled through a temporary file.
"""

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from catok.cli.errors import UsageError
from catok.cli.terminal import is_closed


class _Spool(io.BufferedRandom):
    """A temporary file with a name that makes sense in messages."""

    name = "standard input or output"  # type: ignore[assignment]


def spooled_input(name: str) -> BinaryIO:
    """All of standard input (`-`), or of a pipe with a name.

    Raises UsageError where standard input is a terminal, or closed.
    """
    if name == "-":
        check_stdin()
        return _spooled(sys.stdin.buffer, "standard input")
    with open(name, "rb") as pipe:
        return _spooled(pipe, name)


def _spooled(pipe: BinaryIO, name: str) -> BinaryIO:
    spool = _spool()
    spool.name = name  # type: ignore[misc]
    shutil.copyfileobj(pipe, spool)
    spool.seek(0)
    return spool


def check_stdin() -> None:
    """Raise UsageError where there is nothing to read from standard input."""
    if is_closed("stdin"):
        raise UsageError("standard input is closed: name a file, or use a pipe")
    if sys.stdin.isatty():
        raise UsageError("standard input is a terminal: name a file, or use a pipe")


def check_stdout() -> None:
    """Raise UsageError where audio or codes cannot go to standard output."""
    if is_closed("stdout"):
        raise UsageError("standard output is closed: name a file with -o, or use a pipe")
    if sys.stdout.isatty():
        raise UsageError("standard output is a terminal: name a file with -o, or use a pipe")


@contextmanager
def writable(target: Path | None, suffix: str = "") -> Iterator[Path | BinaryIO]:
    """The target for a library writer, None for standard output, which gets the result when all of
    it is there; `suffix` says its format.
    """
    if target is not None:
        yield target
        return
    with _spool() as spool:
        spool.name = f"standard output{suffix}"  # type: ignore[misc]
        yield spool
        spool.seek(0)
        shutil.copyfileobj(spool, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _spool() -> _Spool:
    return _Spool(tempfile.TemporaryFile(buffering=0))  # type: ignore[arg-type]

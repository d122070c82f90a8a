"""Folders that commands make for their outputs; one that stays empty is not left behind."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_new: dict[Path, None] = {}  # folders that were not there when the command first named them


@contextmanager
def no_empty_folders() -> Iterator[None]:
    """Context after which the folders that `announce` was told of are gone, if nothing is in them:
    a command that fails leaves nothing.
    """
    before = set(_new)
    try:
        yield
    finally:
        for folder in sorted(set(_new) - before, key=lambda path: len(path.parts), reverse=True):
            del _new[folder]
            with suppress(OSError):  # it is not empty, or was never made
                folder.rmdir()


def announce(folder: Path) -> None:
    """Outputs are to lie in a folder, which may have to be made, with those above it."""
    path = folder.absolute()
    while path not in _new and not path.exists():
        _new[path] = None
        path = path.parent


def make_folder(folder: Path) -> None:
    """Make a folder for outputs. Raises ValueError where it cannot be made or written."""
    announce(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot make the folder {folder}: {error.strerror}") from error
    check_folder(folder)


def check_folder(folder: Path) -> None:
    """Raise ValueError where no file can be written in a folder."""
    if not folder.is_dir():
        raise ValueError(f"cannot write in {folder}: it does not exist, create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"cannot write in {folder}: you may not, choose another output")

"""Text files of one entry a line, read so that every complaint names file and line."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Entry(NamedTuple):
    """One line of a table: where it stands, its key and the rest of the line."""

    number: int
    key: str
    value: str


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, stripped, numbered from 1.

    Raises ValueError, naming the line, where the file is missing or not UTF-8.
    """
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                number += 1
                if line.strip():
                    yield number, line.strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read after line {number}: {error}") from error


def entries(path: Path) -> list[Entry]:
    """Lines "key value", split at the first blank or tab; the value may be empty.

    Raises ValueError as `numbered_lines` does, and on a key that comes twice.
    """
    found: dict[str, Entry] = {}
    for number, line in numbered_lines(path):
        key, value = (*line.split(maxsplit=1), "")[:2]
        if key in found:
            raise ValueError(f"{path}, line {number}: {key} is already in line {found[key].number}")
        found[key] = Entry(number, key, value)
    return list(found.values())


def table(path: Path) -> dict[str, str]:
    """`entries` by key; empty where there is no such file."""
    return {entry.key: entry.value for entry in entries(path)} if path.exists() else {}

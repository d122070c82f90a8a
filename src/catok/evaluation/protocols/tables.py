"""Text files of lines "key value", as Kaldi has them."""

from pathlib import Path
from typing import NamedTuple

from catok.data.lines import numbered_lines


class Entry(NamedTuple):
    """One line of a table: where it stands, its key and the rest of the line."""

    number: int
    key: str
    value: str


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

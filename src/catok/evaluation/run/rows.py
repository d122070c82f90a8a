"""A row of a run: one recording, system and setting."""

from typing import NamedTuple

from catok.evaluation.rowfile import Row


class Place(NamedTuple):
    """What identifies a row."""

    key: str
    system: str
    setting: str


def place(row: Row) -> Place:
    """Where a row belongs."""
    return Place(row["key"], row["system"], row["setting"])


def failed(row: Row) -> bool:
    """Whether something went wrong that another attempt might mend."""
    return bool(row["errors"])


def broken(row: Row) -> bool:
    """Whether there was no audio to score: the recording or the system failed."""
    return not row["errors"].keys().isdisjoint({"recording", "system"})

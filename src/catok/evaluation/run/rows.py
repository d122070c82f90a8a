"""A row of a run: one recording, system and setting."""

from collections.abc import Sequence
from typing import NamedTuple

from catok.evaluation.metrics.base import Column
from catok.evaluation.results_folder import Row


class RowKey(NamedTuple):
    """What identifies a row."""

    key: str
    system: str
    setting: str


def row_key(row: Row) -> RowKey:
    """Where a row belongs."""
    return RowKey(row["key"], row["system"], row["setting"])


def missing_columns(row: Row, columns: Sequence[Column]) -> list[str]:
    """The columns that have not been asked of a row whose audio can be scored."""
    return [] if has_no_audio(row) else [c.name for c in columns if c.name not in row]


def has_errors(row: Row) -> bool:
    """Whether something went wrong that another attempt might mend."""
    return bool(row["errors"])


def has_no_audio(row: Row) -> bool:
    """Whether there was no audio to score: the recording or the system failed."""
    return not row["errors"].keys().isdisjoint({"recording", "system"})

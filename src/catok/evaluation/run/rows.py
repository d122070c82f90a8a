"""rows.jsonl: one line per recording, system and setting; what a stopped run leaves is kept."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from catok.files import replacing

Row = dict[str, Any]


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


class RowFile:
    """Rows on disk and in memory. A last line cut short by a crash is dropped at opening.

    Raises ValueError where any other line is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[Place, Row] = {}
        if path.is_file():
            content = path.read_bytes()
            whole, newline, torn = content.rpartition(b"\n")
            if torn:
                os.truncate(path, len(whole) + len(newline))
            for number, line in enumerate(whole.splitlines(), 1):
                try:
                    row = json.loads(line)
                    self._rows.setdefault(place(row), row)
                except (ValueError, LookupError, TypeError) as error:
                    raise ValueError(
                        f"{path}, line {number} is damaged: remove that line ({error})"
                    ) from error

    @property
    def rows(self) -> list[Row]:
        """All rows, in the order in which they came."""
        return list(self._rows.values())

    def __contains__(self, where: Place) -> bool:
        return where in self._rows

    def append(self, rows: Sequence[Row]) -> None:
        """Write the rows that are not there yet, in one piece."""
        new = {place(row): row for row in rows if place(row) not in self._rows}
        if new:
            with self.path.open("ab") as file:
                file.write(_lines(new.values()))
            self._rows.update(new)

    def drop(self, unwanted: Iterable[Row]) -> None:
        """Remove rows, so that they can be made again."""
        for row in unwanted:
            del self._rows[place(row)]
        with replacing(self.path) as temporary:
            Path(temporary).write_bytes(_lines(self._rows.values()))


def _lines(rows: Iterable[Row]) -> bytes:
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    return "".join(lines).encode()

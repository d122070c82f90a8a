"""rows.jsonl: one line per thing judged, written as it comes; what a stopped run leaves is kept."""

import json
import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from catok.io.files import replacing

Row = dict[str, Any]
Key = TypeVar("Key", bound=Hashable)


class RowFile(Generic[Key]):
    """Rows on disk and in memory; `key` tells what identifies one.

    A last line cut short by a crash is dropped at opening. Raises ValueError where any other line
    is damaged.
    """

    def __init__(self, path: Path, key: Callable[[Row], Key]) -> None:
        self.path = path
        self._key = key
        self._rows: dict[Key, Row] = {}
        if path.is_file():
            content = path.read_bytes()
            whole, newline, torn = content.rpartition(b"\n")
            if torn:
                os.truncate(path, len(whole) + len(newline))
            for number, line in enumerate(whole.splitlines(), 1):
                try:
                    row = json.loads(line)
                    self._rows.setdefault(key(row), row)
                except (ValueError, LookupError, TypeError) as error:
                    raise ValueError(
                        f"{path}, line {number} is damaged: remove that line ({error})"
                    ) from error

    @property
    def rows(self) -> list[Row]:
        """All rows, in the order in which they came."""
        return list(self._rows.values())

    def __contains__(self, key: Key) -> bool:
        return key in self._rows

    def append(self, rows: Sequence[Row]) -> None:
        """Write the rows that are not there yet, in one piece."""
        new = {self._key(row): row for row in rows if self._key(row) not in self._rows}
        if new:
            with self.path.open("ab") as file:
                file.write(_lines(new.values()))
            self._rows.update(new)

    def drop(self, unwanted: Iterable[Row]) -> None:
        """Remove rows, so that they can be made again."""
        for row in unwanted:
            del self._rows[self._key(row)]
        with replacing(self.path) as temporary:
            Path(temporary).write_bytes(_lines(self._rows.values()))


def _lines(rows: Iterable[Row]) -> bytes:
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    return "".join(lines).encode()

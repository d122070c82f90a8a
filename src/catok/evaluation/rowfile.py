"""rows.jsonl: one line per thing judged, written as it comes; what a stopped run leaves is kept."""

import json
import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from catok.io.files import replacing
from catok.io.json import parse_object

Row = dict[str, Any]
Key = TypeVar("Key", bound=Hashable)


class RowFile(Generic[Key]):
    """Rows on disk and in memory; `key` tells what identifies one, and of two the later counts.

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
            for number, line in enumerate(whole.split(b"\n") if whole else (), 1):
                try:
                    row = parse_object(line, "the line")
                    self._rows[key(row)] = row
                except (ValueError, LookupError, TypeError) as error:
                    raise ValueError(
                        f"{path}, line {number} is damaged: remove that line ({error})"
                    ) from error

    @property
    def rows(self) -> list[Row]:
        """All rows, in the order in which their keys came."""
        return list(self._rows.values())

    def __contains__(self, key: Key) -> bool:
        return key in self._rows

    def get(self, key: Key) -> Row | None:
        """The row of a key, if there is one."""
        return self._rows.get(key)

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows in one piece; each takes the place of an earlier one with its key."""
        if rows:
            with self.path.open("ab") as file:
                file.write(_lines(rows))
            self._rows.update((self._key(row), row) for row in rows)

    def drop(self, unwanted: Iterable[Row]) -> None:
        """Remove rows, so that they can be made again."""
        for row in unwanted:
            del self._rows[self._key(row)]
        self.compact()

    def compact(self) -> None:
        """Write the file anew, without the rows that others have taken the place of."""
        with replacing(self.path) as temporary:
            Path(temporary).write_bytes(_lines(self._rows.values()))


def _lines(rows: Iterable[Row]) -> bytes:
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    return "".join(lines).encode(errors="backslashreplace")  # a lone surrogate becomes its escape

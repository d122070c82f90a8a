"""A folder of results: run.json says what its rows are of, rows.jsonl has the rows.

Only what belongs together is added to it.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic

from catok.evaluation.rowfile import Key, Row, RowFile
from catok.io.files import replacing
from catok.io.json import read_json

RUN, ROWS = "run.json", "rows.jsonl"


class ResultsFolder(Generic[Key]):
    """The rows of a folder, and the record of how they were made, {} without one.

    Nothing is written at opening. Raises ValueError on a damaged record or row, and on rows without
    a record.
    """

    def __init__(self, path: str | Path, key: Callable[[Row], Key]) -> None:
        self.path = Path(path)
        self.record = self._read()
        self.rows = RowFile(self.path / ROWS, key)

    def check(self, settings: Mapping[str, Any]) -> None:
        """Raises ValueError, naming what differs, where the rows are of other settings."""
        if self.rows.rows:
            check_settings(self.path, self.record["settings"], settings)

    def write(self, record: Mapping[str, Any]) -> None:
        """Write run.json; the folder is made if need be."""
        self.record = plain(record)
        self.path.mkdir(parents=True, exist_ok=True)
        with replacing(self.path / RUN) as temporary:
            Path(temporary).write_text(json.dumps(self.record, indent=1) + "\n")

    def _read(self) -> dict[str, Any]:
        path, rows = self.path / RUN, self.path / ROWS
        if not path.is_file():
            if rows.is_file() and rows.stat().st_size:
                raise ValueError(
                    f"{self.path} holds rows but no {RUN} that says how they were made: choose "
                    "another output folder, or delete this one"
                )
            return {}
        try:
            record = read_json(path)
            if not isinstance(record.get("settings"), dict):
                raise ValueError("it has no settings")
        except ValueError as error:
            raise damaged(path, error) from error
        return record


def damaged(path: Path, error: Exception) -> ValueError:
    """What to raise where a record cannot be understood."""
    return ValueError(
        f"{path} is damaged: choose another output folder, or delete this one ({error})"
    )


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same as JSON reads it back: lists for tuples."""
    return json.loads(json.dumps(value))


def check_settings(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises ValueError, naming what differs, where `folder` was made with other settings."""
    before, now = plain(before), plain(now)
    names = sorted(set(before) | set(now))
    other = [name for name in names if before.get(name) != now.get(name)]
    if other:
        changes = "; ".join(
            f"{name}: {before.get(name)!r} then, {now.get(name)!r} now" for name in other
        )
        raise ValueError(
            f"{folder} holds results with other settings ({changes}): "
            "use the same ones to go on, choose another output folder, or delete this one"
        )

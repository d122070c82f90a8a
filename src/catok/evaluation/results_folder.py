"""A folder of results: run.json says what its rows are of, rows.jsonl has the rows.

Rows are written as they come, so that a stopped run can go on. Only what belongs together is added:
settings, models and recordings are compared by content.
"""

import hashlib
import json
import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from catok.io.files import replacing
from catok.io.hub import find_folder
from catok.io.json import parse_object, read_json

RUN, ROWS = "run.json", "rows.jsonl"
OURS = "catok:"
MODEL_SUFFIXES = {".json", ".safetensors", ".bin", ".txt", ".model"}  # not logs or states

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
        self.record = as_json(record)
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
            raise damaged_record(path, error) from error
        return record


def damaged_record(path: Path, error: Exception) -> ValueError:
    """What to raise where a record cannot be understood."""
    return ValueError(
        f"{path} is damaged: choose another output folder, or delete this one ({error})"
    )


def as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same as JSON reads it back: lists for tuples."""
    return json.loads(json.dumps(value))


def check_settings(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises ValueError, naming what differs, where `folder` was made with other settings."""
    before, now = as_json(before), as_json(now)
    names = sorted(set(before) | set(now))
    changed = [name for name in names if before.get(name) != now.get(name)]
    if changed:
        changes = "; ".join(
            f"{name}: {before.get(name)!r} then, {now.get(name)!r} now" for name in changed
        )
        raise ValueError(
            f"{folder} holds results with other settings ({changes}): "
            "use the same ones to go on, choose another output folder, or delete this one"
        )


def model_identity(name: str) -> str:
    """A local model's name and 16 hex digits of its files' SHA-256; any other name as it is.

    `name`: a file, a folder, the name of a packaged model or a hub id; with "catok:" before it a
    model of this package. Raises ValueError where that cannot be found.
    """
    path = Path(name)
    if name.startswith(OURS):
        path = find_folder(name.removeprefix(OURS))
    if path.is_file():
        files = [path]
    elif path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix in MODEL_SUFFIXES and f.is_file())
    else:
        return name
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return f"{OURS if name.startswith(OURS) else ''}{path.resolve().name} {digest.hexdigest()[:16]}"


def audio_sha1(path: str | Path | None) -> str | None:
    """Twelve hex digits of the SHA-1 of a file's content; None where no file can be read."""
    if path is None or not Path(path).is_file():
        return None
    try:
        with Path(path).open("rb") as content:
            return hashlib.file_digest(content, "sha1").hexdigest()[:12]
    except OSError:
        return None

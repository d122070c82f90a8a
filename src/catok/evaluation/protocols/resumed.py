"""Runs over many utterances that can be stopped: rows are written as they come and kept."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic

from catok.evaluation.protocols.items import Item, Prompted
from catok.evaluation.protocols.results import ROWS
from catok.evaluation.protocols.scored import Scored
from catok.evaluation.rowfile import Row, RowFile
from catok.evaluation.settings import check_settings
from catok.io.files import replacing

RUN = "run.json"


class Resumed(Generic[Item]):
    """The rows of one run in a folder, rows.jsonl, with its settings beside them, run.json.

    `todo`: the items that have no row yet, whose row has a reason (missing, failed, or lacking
    figures), or whose audio file is another than the one that was heard.
    """

    def __init__(
        self,
        folder: str | Path,
        settings: Mapping[str, Any],
        items: Sequence[Item],
        audio: Callable[[Item], Path | None],
    ) -> None:
        """`settings`: plain values that the figures depend on; `audio`: the file that is heard.

        Nothing is written before the first row. Raises ValueError where the folder holds rows of
        other settings, of other utterances or of unknown ones, and damaged rows.
        """
        self._folder, self._audio = Path(folder), audio
        self._items = {item.id: item for item in items}
        self._settings = json.loads(json.dumps({**settings, **_listed(items)}))
        rows = self._folder / ROWS
        if rows.is_file() and rows.stat().st_size:
            self._check()
        self._file = RowFile(rows, _id)
        found = {row.id: row for row in map(Scored.from_row, self._file.rows)}
        self.todo = [item for item in items if not self._is_done(item, found.get(item.id))]
        stale = [row for item in self.todo if (row := found.pop(item.id, None))]
        if stale:
            self._file.drop([row.as_row() for row in stale])
        self._rows = found

    @property
    def rows(self) -> list[Scored]:
        """All rows so far, in the order of the items."""
        return [self._rows[name] for name in self._items if name in self._rows]

    def add(self, row: Scored) -> None:
        """Write the row of one of `todo`; it is in the file when this returns."""
        row = replace(row, audio_sha1=_sha1(self._audio(self._items[row.id])))
        if not self._rows:
            self._folder.mkdir(parents=True, exist_ok=True)
            with replacing(self._folder / RUN) as temporary:
                text = json.dumps({"settings": self._settings}, ensure_ascii=False, indent=1)
                Path(temporary).write_text(text + "\n", encoding="utf-8")
        self._file.append([row.as_row()])
        self._rows[row.id] = row

    def _check(self) -> None:
        path = self._folder / RUN
        if not path.is_file():
            raise ValueError(
                f"{self._folder} holds rows but no {RUN} that says how they were made: choose "
                "another output folder, or delete this one"
            )
        try:
            before = dict(json.loads(path.read_text(encoding="utf-8"))["settings"])
        except (ValueError, LookupError, TypeError) as error:
            raise ValueError(
                f"{path} is damaged: choose another output folder, or delete this one ({error})"
            ) from error
        check_settings(self._folder, before, self._settings)

    def _is_done(self, item: Item, row: Scored | None) -> bool:
        if row is None or row.reason is not None:
            return False
        return row.audio_sha1 == _sha1(self._audio(item))


def _id(row: Row) -> str:
    """Of a whole row; raises KeyError on another."""
    return Scored.from_row(row).id


def _listed(items: Sequence[Item]) -> dict[str, Any]:
    """How many items, and what stands for all that is listed of them but for folders."""
    digest = hashlib.sha1()
    for item in items:
        audio = item.prompt_audio if isinstance(item, Prompted) else item.audio
        digest.update(repr((item.id, item.text, item.language, audio.name)).encode())
    return {"utterances": len(items), "utterances_sha1": digest.hexdigest()}


def _sha1(path: Path | None) -> str | None:
    """Twelve digits; None where there is no file."""
    if path is None or not path.is_file():
        return None
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha1").hexdigest()[:12]

"""Runs over many utterances that can be stopped: rows are written as they come and kept."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic

from catok.evaluation.protocols.items import ASRItem, Item, TTSItem
from catok.evaluation.protocols.utterance_score import UtteranceScore
from catok.evaluation.results_folder import ResultsFolder, Row, audio_sha1


class ResumableRun(Generic[Item]):
    """The rows of one run in a folder (see `ResultsFolder`).

    `pending`: the items that have no row yet, whose row has a reason (missing, failed, or lacking
    figures), or whose audio files have changed since.
    """

    def __init__(
        self,
        folder: str | Path,
        settings: Mapping[str, Any],
        items: Sequence[Item],
        audio: Callable[[Item], Sequence[Path | None]],
    ) -> None:
        """`settings`: plain values that the figures depend on; `audio`: the files that figures
        depend on, first the one that is scored.

        Nothing is written before the first row. Raises ValueError where the folder holds rows of
        other settings, of other utterances or of unknown ones, and damaged rows.
        """
        self._audio = audio
        self._items = {item.id: item for item in items}
        self._settings = {**settings, **_list_identity(items)}
        self._folder = ResultsFolder(folder, _id)
        self._folder.check(self._settings)
        by_id = {row.id: row for row in map(UtteranceScore.from_row, self._folder.rows.rows)}
        self.pending = [item for item in items if not self._is_done(item, by_id.get(item.id))]
        stale = [row for item in self.pending if (row := by_id.pop(item.id, None))]
        if stale:
            self._folder.rows.drop([row.as_row() for row in stale])
        self._rows = by_id

    @property
    def rows(self) -> list[UtteranceScore]:
        """All rows so far, in the order of the items."""
        return [self._rows[name] for name in self._items if name in self._rows]

    def add(self, row: UtteranceScore) -> None:
        """Write the row of one of `pending`; it is in the file when this returns."""
        row = replace(row, audio_sha1=_audio_digest(self._audio(self._items[row.id])))
        if not self._rows:
            self._folder.write({"settings": self._settings})
        self._folder.rows.append([row.as_row()])
        self._rows[row.id] = row

    def _is_done(self, item: Item, row: UtteranceScore | None) -> bool:
        if row is None or row.reason is not None:
            return False
        return row.audio_sha1 == _audio_digest(self._audio(item))


def _id(row: Row) -> str:
    """Of a whole row; raises KeyError on another."""
    return UtteranceScore.from_row(row).id


def _audio_digest(files: Sequence[Path | None]) -> str | None:
    """What stands for the content of the files; None without the first of them."""
    digests = [audio_sha1(file) for file in files]
    return "-".join(digest or "none" for digest in digests) if digests[0] else None


def _list_identity(items: Sequence[Item]) -> dict[str, Any]:
    """How many items, and what stands for all that is listed of them but for folders."""
    digest = hashlib.sha1()
    for item in items:
        audio = item.prompt_audio if isinstance(item, TTSItem) else item.audio
        part = (item.offset, item.seconds) if isinstance(item, ASRItem) else ()
        known = (item.id, item.text, item.language, audio.name, *part)
        digest.update(repr(known).encode(errors="backslashreplace"))
    return {"utterances": len(items), "utterances_sha1": digest.hexdigest()}

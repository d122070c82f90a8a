"""Recordings that are others than when they were scored: their rows never mix with new ones."""

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from catok.evaluation.results_folder import Row, RowFile, audio_sha1
from catok.evaluation.run.artifacts import clips_folder, code_files
from catok.evaluation.run.recordings import EvalRecording
from catok.evaluation.run.rows import RowKey


def drop_changed(
    out: Path,
    recordings: Sequence[EvalRecording],
    rows: RowFile[RowKey],
    systems: Collection[tuple[str, str]],
    retry: bool,
) -> None:
    """With `retry`, remove rows, codes and clips of recordings whose files have changed.

    `systems`: names and settings that will be run again. Raises ValueError without `retry`, and
    where other systems have been scored on the file as it was.
    """
    changed = _find_changed(recordings, rows.rows)
    if not changed:
        return
    keys, what = {recording.key for recording in changed}, _changed_message(changed)
    if not retry:
        raise ValueError(f"{what}: score it again with --retry, or choose another output folder")
    stale = [row for row in rows.rows if row["key"] in keys]
    others = {(row["system"], row["setting"]) for row in stale}.difference(systems)
    if others:
        names = ", ".join(sorted(f"{system} at {setting}" for system, setting in others))
        raise ValueError(f"{what}, by {names} too: ask for these as well")
    rows.drop(stale)
    for recording in changed:
        shutil.rmtree(clips_folder(out, recording), ignore_errors=True)
        for file in code_files(out, recording):
            file.unlink()


def check_unchanged(recordings: Sequence[EvalRecording], rows: Sequence[Row]) -> None:
    """Raises ValueError where a recording is another than the one that rows are of."""
    changed = _find_changed(recordings, rows)
    if changed:
        raise ValueError(f"{_changed_message(changed)}: evaluate it again first")


def _find_changed(recordings: Sequence[EvalRecording], rows: Sequence[Row]) -> list[EvalRecording]:
    scored = {row["key"]: row["audio_sha1"] for row in rows}
    return [
        recording
        for recording in recordings
        if recording.key in scored and audio_sha1(recording.path) != scored[recording.key]
    ]


def _changed_message(changed: Sequence[EvalRecording]) -> str:
    what = f"{changed[0].key} has changed since it was scored"
    if len(changed) == 1:
        return what
    return f"{len(changed)} recordings have changed since they were scored ({what})"

"""`evaluate`: recordings through systems and metrics; a stopped run goes on where it was."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from catok.evaluation.markdown import readable
from catok.evaluation.metrics.base import Column, Metric
from catok.evaluation.metrics.registry import (
    MetricOptions,
    build_available_metrics,
    metric_settings,
)
from catok.evaluation.results_folder import ResultsFolder, Row, RowFile
from catok.evaluation.run.artifacts import ClipTask, make_clips, select_examples
from catok.evaluation.run.changed_recordings import drop_changed
from catok.evaluation.run.provenance import provenance
from catok.evaluation.run.recordings import (
    EvalRecording,
    Selection,
    read_recordings,
    select_recordings,
)
from catok.evaluation.run.rows import RowKey, has_errors, missing_columns, row_key
from catok.evaluation.run.run_manifest import METRICS_SETTING, RunManifest, SystemKind
from catok.evaluation.run.scoring import ScoringTask, score_recording
from catok.evaluation.run.summary import Summary, build_summary
from catok.evaluation.run.tables import check_parquet, write_tables
from catok.evaluation.run.worker import Worker, WorkerSpec, describe_worker
from catok.evaluation.systems.base import System
from catok.evaluation.systems.registry import build_system
from catok.io.lock import folder_lock
from catok.worker_pool import WorkerPool

ORIGINAL = "original"


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated, on what, and how.

    `data`: a folder or manifest (see `read_recordings`). `models`, `baselines`: systems as
    `build_system` names them; the original itself always comes first. `metrics`: names as
    `build_available_metrics` takes them. `workers` processes of `threads` PyTorch threads each
    (None: the cores divided among them); neural codecs compute on `device`. `examples`: recordings
    per domain to listen to. `retry`: rows with errors are computed again, and those of recordings
    that have changed. The two builders can be replaced, by functions that a fresh process can
    import.
    """

    data: str
    models: tuple[str, ...] = ("tiny",)
    baselines: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ("fast",)
    options: MetricOptions = field(default_factory=MetricOptions)
    selection: Selection = field(default_factory=Selection)
    workers: int = 1
    threads: int | None = None
    device: str = "cpu"
    examples: int = 2
    retry: bool = False
    build_system: Callable[..., System] = build_system
    build_metrics: Callable[[Sequence[str], MetricOptions], tuple[list[Metric], dict[str, str]]] = (
        build_available_metrics
    )

    @property
    def systems(self) -> tuple[tuple[str, SystemKind], ...]:
        """All systems with what they are here."""
        models: tuple[tuple[str, SystemKind], ...] = tuple((text, "model") for text in self.models)
        return (
            (ORIGINAL, "original"),
            *models,
            *((text, "baseline") for text in self.baselines),
        )


@dataclass(frozen=True)
class RunProgress:
    """How far a run is: recordings done and to do, those of earlier runs not among them."""

    done: int
    total: int
    recording: EvalRecording


def evaluate(
    evaluation: Evaluation,
    out: Path,
    *,
    command: str = "catok.evaluation.evaluate",
    report: Callable[[RunProgress], None] = lambda progress: None,
) -> Summary:
    """Score what is missing in the folder `out`, then summarize all of it.

    Writes rows.jsonl as it goes, codes/, examples/ and at the end rows.parquet and
    summary.json/csv/md. A run that was stopped goes on where it was; systems that are new are
    added, and of metrics that are new the columns. `command`: how it was called, for the record.

    Raises ValueError where `out` holds results with other data or another selection, with metrics
    that are not asked for now, of other weights, or of recordings that have changed since (see
    `retry`), where another run is at work in it, and where a system or metric cannot be built.
    """
    check_parquet()
    out = out.resolve()
    recordings = select_recordings(
        read_recordings(evaluation.data, leave_out=out), evaluation.selection
    )
    with folder_lock(out):
        return _evaluate(evaluation, out, recordings, command, report)


def _evaluate(
    evaluation: Evaluation,
    out: Path,
    recordings: Sequence[EvalRecording],
    command: str,
    report: Callable[[RunProgress], None],
) -> Summary:
    # 1. What the folder holds, refused if it was made with other settings.
    folder = ResultsFolder(out, row_key)
    manifest, rows = RunManifest(folder, _settings(evaluation, recordings)), folder.rows
    spec = WorkerSpec(
        evaluation.systems,
        partial(evaluation.build_system, device=evaluation.device),
        partial(evaluation.build_metrics, evaluation.metrics, evaluation.options),
    )
    with WorkerPool(partial(Worker, spec), evaluation.workers, evaluation.threads) as pool:
        # 2. Systems and metrics name their settings and columns: with them, what is missing.
        info = pool.call(describe_worker, evaluation.systems)
        requested = [(system.name, s) for system in info.systems for s in system.settings]
        drop_changed(out, recordings, rows, requested, evaluation.retry)
        manifest.add(info.systems, info.columns)
        if evaluation.retry:
            rows.drop([row for row in rows.rows if has_errors(row)])
        tasks = _tasks(recordings, requested, info.columns, rows, out)
        # 3. Score, one recording a task; rows are on disk as soon as they come.
        by_key = {recording.key: recording for recording in recordings}
        weights = {row["system"]: row["weights"] for row in rows.rows if row["weights"]}
        for done, new_rows in enumerate(pool.imap_unordered(score_recording, tasks), 1):
            _check_weights(weights, new_rows)
            rows.append(new_rows)
            report(RunProgress(done, len(tasks), by_key[new_rows[0]["key"]]))
        # Rows that grew columns were appended again: write the file without the older ones.
        if any(row is not None for task in tasks for row in task.requested.values()):
            rows.compact()
        left_out = info.left_out | _columns_not_computed(tasks, rows, info.columns)
        # 4. Clips to listen to, then the tables.
        shown = select_examples(recordings, rows.rows, evaluation.examples)
        for _ in pool.imap_unordered(make_clips, [ClipTask(recording, out) for recording in shown]):
            pass
    source = provenance(command, evaluation.workers, evaluation.threads)
    summary = build_summary(rows.rows, recordings, shown, manifest, left_out, source, out)
    write_tables(out, summary, rows.rows, manifest.columns)
    return summary


def _settings(evaluation: Evaluation, recordings: Sequence[EvalRecording]) -> dict[str, Any]:
    known = (asdict(recording) | {"path": None, "seconds": None} for recording in recordings)
    digest = hashlib.sha1("\n".join(map(json.dumps, known)).encode()).hexdigest()
    return {
        "data": readable(str(Path(evaluation.data).resolve())),
        "selection": asdict(evaluation.selection),
        "recordings": len(recordings),
        "recordings_sha1": digest,
        METRICS_SETTING: metric_settings(evaluation.metrics, evaluation.options),
    }


def _tasks(
    recordings: Sequence[EvalRecording],
    requested: Sequence[tuple[str, str]],
    columns: Sequence[Column],
    rows: RowFile[RowKey],
    out: Path,
) -> list[ScoringTask]:
    """What is missing, by recording: rows, and columns of rows."""
    tasks = []
    for recording in recordings:
        keys = [RowKey(recording.key, system, setting) for system, setting in requested]
        existing = {key: rows.get(key) for key in keys}
        missing = {
            key: row
            for key, row in existing.items()
            if row is None or missing_columns(row, columns)
        }
        if missing:
            tasks.append(ScoringTask(recording, missing, out))
    return tasks


def _columns_not_computed(
    tasks: Sequence[ScoringTask], rows: RowFile[RowKey], columns: Sequence[Column]
) -> dict[str, str]:
    """Columns that a worker could not fill though another could, and of how many rows."""
    keys = [key for task in tasks for key in task.requested]
    counts = Counter(
        name for key in keys if (row := rows.get(key)) for name in missing_columns(row, columns)
    )
    return {
        name: f"not computed for {count} rows: run the same command again"
        for name, count in counts.items()
    }


def _check_weights(known: dict[str, str], new: Sequence[Row]) -> None:
    """Compare the new rows' weights with those known by system, and note them."""
    for row in new:
        name, weights = row["system"], row["weights"]
        if weights and known.setdefault(name, weights) != weights:
            raise ValueError(
                f"{name} has other weights than when the run began ({weights}, not "
                f"{known[name]}): use another output folder"
            )

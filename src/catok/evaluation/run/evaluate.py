"""`evaluate`: recordings through systems and metrics, into a folder that can be gone on with."""

import hashlib
import json
import sys
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
from catok.evaluation.run.changed import drop_changed
from catok.evaluation.run.crew import Crew
from catok.evaluation.run.examples import ExampleTask, make_clips, pick
from catok.evaluation.run.provenance import provenance, shareable
from catok.evaluation.run.record import METRICS, Kind, RunRecord
from catok.evaluation.run.recordings import Recording, Selection, choose, read_recordings
from catok.evaluation.run.rows import Place, failed, lacking, place
from catok.evaluation.run.scoring import Recipe, Task, Tools, describe, score
from catok.evaluation.run.summary import Summary, summarise
from catok.evaluation.run.tables import check_parquet, write_tables
from catok.evaluation.systems.base import System
from catok.evaluation.systems.registry import build_system
from catok.io.lock import folder_lock

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
    def systems(self) -> tuple[tuple[str, Kind], ...]:
        """All systems with what they are here."""
        models: tuple[tuple[str, Kind], ...] = tuple((text, "model") for text in self.models)
        return (
            (ORIGINAL, "original"),
            *models,
            *((text, "baseline") for text in self.baselines),
        )


@dataclass(frozen=True)
class Progress:
    """How far a run is: recordings done and to do, those of earlier runs not among them."""

    done: int
    total: int
    recording: Recording


def evaluate(
    evaluation: Evaluation,
    out: Path,
    *,
    command: str | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Summary:
    """Score what is missing in the folder `out`, then summarise all of it.

    Writes rows.jsonl as it goes, codes/, examples/ and at the end rows.parquet and
    summary.json/csv/md. A run that was stopped goes on where it was; systems that are new are
    added, and of metrics that are new the columns. `command`: how it was called, for the record.

    Raises ValueError where `out` holds results with other data or another selection, with metrics
    that are not asked for now, of other weights, or of recordings that have changed since (see
    `retry`), where another run is at work in it, and where a system or metric cannot be built.
    """
    check_parquet()
    out = out.resolve()
    recordings = choose(read_recordings(evaluation.data, leave_out=out), evaluation.selection)
    with folder_lock(out):
        return _evaluate(evaluation, out, recordings, command or shareable(sys.argv), report)


def _evaluate(
    evaluation: Evaluation,
    out: Path,
    recordings: Sequence[Recording],
    command: str,
    report: Callable[[Progress], None],
) -> Summary:
    folder = ResultsFolder(out, place)
    record, rows = RunRecord(folder, _settings(evaluation, recordings)), folder.rows
    recipe = Recipe(
        evaluation.systems,
        partial(evaluation.build_system, device=evaluation.device),
        partial(evaluation.build_metrics, evaluation.metrics, evaluation.options),
    )
    with Crew(partial(Tools, recipe), evaluation.workers, evaluation.threads) as crew:
        facts = crew.one(describe, evaluation.systems)
        wanted = [(system.name, s) for system in facts.systems for s in system.settings]
        drop_changed(out, recordings, rows, wanted, evaluation.retry)
        record.add(facts.systems, facts.columns)
        if evaluation.retry:
            rows.drop([row for row in rows.rows if failed(row)])
        tasks = _tasks(recordings, wanted, facts.columns, rows, out)
        named = {recording.key: recording for recording in recordings}
        weights = {row["system"]: row["weights"] for row in rows.rows if row["weights"]}
        for done, made in enumerate(crew.each(score, tasks), 1):
            _check_weights(weights, made)
            rows.append(made)
            report(Progress(done, len(tasks), named[made[0]["key"]]))
        if any(row is not None for task in tasks for row in task.wanted.values()):
            rows.compact()
        left_out = facts.left_out | _lacking(tasks, rows, facts.columns)
        shown = pick(recordings, rows.rows, evaluation.examples)
        for _ in crew.each(make_clips, [ExampleTask(recording, out) for recording in shown]):
            pass
    source = provenance(command, evaluation.workers, evaluation.threads)
    summary = summarise(rows.rows, recordings, shown, record, left_out, source, out)
    write_tables(out, summary, rows.rows, record.columns)
    return summary


def _settings(evaluation: Evaluation, recordings: Sequence[Recording]) -> dict[str, Any]:
    known = (asdict(recording) | {"path": None, "seconds": None} for recording in recordings)
    digest = hashlib.sha1("\n".join(map(json.dumps, known)).encode()).hexdigest()
    return {
        "data": readable(str(Path(evaluation.data).resolve())),
        "selection": asdict(evaluation.selection),
        "recordings": len(recordings),
        "recordings_sha1": digest,
        METRICS: metric_settings(evaluation.metrics, evaluation.options),
    }


def _tasks(
    recordings: Sequence[Recording],
    wanted: Sequence[tuple[str, str]],
    columns: Sequence[Column],
    rows: RowFile[Place],
    out: Path,
) -> list[Task]:
    """What is missing, by recording: rows, and columns of rows."""
    tasks = []
    for recording in recordings:
        places = [Place(recording.key, system, setting) for system, setting in wanted]
        there = {place: rows.get(place) for place in places}
        missing = {
            place: row for place, row in there.items() if row is None or lacking(row, columns)
        }
        if missing:
            tasks.append(Task(recording, missing, out))
    return tasks


def _lacking(
    tasks: Sequence[Task], rows: RowFile[Place], columns: Sequence[Column]
) -> dict[str, str]:
    """Columns that a worker could not fill though another could, and of how many rows."""
    places = [place for task in tasks for place in task.wanted]
    counts = Counter(
        name for place in places if (row := rows.get(place)) for name in lacking(row, columns)
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

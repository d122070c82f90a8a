"""`evaluate`: recordings through systems and metrics, into a folder that can be gone on with."""

import hashlib
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from catok.evaluation.metrics.base import Metric
from catok.evaluation.metrics.suite import MetricOptions, build_metrics
from catok.evaluation.rowfile import Row, RowFile
from catok.evaluation.run.crew import Crew
from catok.evaluation.run.examples import ExampleTask, make_clips, pick
from catok.evaluation.run.provenance import provenance
from catok.evaluation.run.record import Kind, RunRecord, SystemFacts
from catok.evaluation.run.recordings import Recording, Selection, choose, read_recordings
from catok.evaluation.run.rows import Place, failed, place
from catok.evaluation.run.scoring import Recipe, Task, Tools, describe, score
from catok.evaluation.run.summary import Summary, summarise
from catok.evaluation.run.tables import check_parquet, write_tables
from catok.evaluation.systems.base import System
from catok.evaluation.systems.registry import build_system

ORIGINAL = "original"


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated, on what, and how.

    `data`: a folder or manifest (see `read_recordings`). `models`, `baselines`: systems as
    `build_system` names them; the original itself always comes first. `metrics`: names as
    `build_metrics` takes them. `workers` processes of `threads` PyTorch threads each (None: the
    cores shared out); neural codecs compute on `device`. `examples`: recordings per domain to
    listen to. `retry`: rows with errors are made again. The two builders can be replaced, by
    functions that a fresh process can import.
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
    build_metrics: Callable[[Sequence[str], MetricOptions], Sequence[Metric]] = build_metrics

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
    added. `command`: how it was called, for the record. Raises ValueError where `out` holds results
    with other data, another selection or other metrics, or of other weights, and where a system or
    metric cannot be built.
    """
    check_parquet()
    out = out.resolve()
    listed = read_recordings(evaluation.data)
    if Path(evaluation.data).is_dir():  # which may hold the results
        listed = [r for r in listed if not r.path.resolve().is_relative_to(out)]
    recordings = choose(listed, evaluation.selection)
    out.mkdir(parents=True, exist_ok=True)
    record = RunRecord(out, _settings(evaluation, recordings))
    rows = RowFile(out / "rows.jsonl", place)
    if evaluation.retry:
        rows.drop([row for row in rows.rows if failed(row)])
    recipe = Recipe(
        evaluation.systems,
        partial(evaluation.build_system, device=evaluation.device),
        partial(evaluation.build_metrics, evaluation.metrics, evaluation.options),
    )
    with Crew(partial(Tools, recipe), evaluation.workers, evaluation.threads) as crew:
        facts, columns = crew.one(describe, evaluation.systems)
        record.add(facts, columns)
        tasks = _tasks(recordings, facts, rows, out)
        named = {recording.key: recording for recording in recordings}
        weights = {row["system"]: row["weights"] for row in rows.rows if row["weights"]}
        for done, made in enumerate(crew.each(score, tasks), 1):
            _check_weights(weights, made)
            rows.append(made)
            report(Progress(done, len(tasks), named[made[0]["key"]]))
        shown = pick(recordings, rows.rows, evaluation.examples)
        for _ in crew.each(make_clips, [ExampleTask(recording, out) for recording in shown]):
            pass
    source = provenance(command or shlex.join(sys.argv), evaluation.workers, evaluation.threads)
    summary = summarise(
        rows.rows, recordings, shown, record.systems, columns, record.settings, source, out
    )
    write_tables(out, summary, rows.rows)
    return summary


def _settings(evaluation: Evaluation, recordings: Sequence[Recording]) -> dict[str, Any]:
    keys = "\n".join(recording.key for recording in recordings)
    return {
        "data": str(Path(evaluation.data).resolve()),
        "selection": asdict(evaluation.selection),
        "recordings": len(recordings),
        "recordings_sha1": hashlib.sha1(keys.encode()).hexdigest(),
        "metrics": list(evaluation.metrics),
        "options": asdict(evaluation.options),
    }


def _tasks(
    recordings: Sequence[Recording], systems: Sequence[SystemFacts], rows: RowFile[Place], out: Path
) -> list[Task]:
    """What is missing, by recording."""
    tasks = []
    for recording in recordings:
        places = [
            Place(recording.key, system.name, setting)
            for system in systems
            for setting in system.settings
        ]
        wanted = frozenset(place for place in places if place not in rows)
        if wanted:
            tasks.append(Task(recording, wanted, out))
    return tasks


def _check_weights(known: dict[str, str], new: Sequence[Row]) -> None:
    """Compare the new rows' weights with those known by system, and note them."""
    for row in new:
        name, weights = row["system"], row["weights"]
        if weights and known.setdefault(name, weights) != weights:
            raise ValueError(
                f"{name} has other weights than when the run began ({weights}, not "
                f"{known[name]}): use another output folder"
            )

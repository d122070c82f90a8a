"""One recording through all systems and metrics: rows of figures, or of what went wrong."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from catok.evaluation.markdown import readable
from catok.evaluation.metrics.base import Column, Metric
from catok.evaluation.results_folder import Row, audio_sha1
from catok.evaluation.run.codes import keep_codes
from catok.evaluation.run.crew import check_stop
from catok.evaluation.run.flags import Flag, flag
from catok.evaluation.run.record import Kind, SystemFacts
from catok.evaluation.run.recordings import Recording
from catok.evaluation.run.rows import Place, lacking
from catok.evaluation.sample import Sample
from catok.evaluation.systems.base import Output, System


@dataclass(frozen=True)
class Recipe:
    """What a process needs in order to build its tools; called, it gives them."""

    systems: tuple[tuple[str, Kind], ...]
    build_system: Callable[[str], System]
    build_metrics: Callable[[], tuple[list[Metric], dict[str, str]]]

    def __call__(self) -> "Tools":
        return Tools(self)


class Tools:
    """The systems and metrics of one process, built when first used."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    @cached_property
    def systems(self) -> list[System]:
        """All systems, in the order of the recipe."""
        return [self._recipe.build_system(text) for text, _ in self._recipe.systems]

    @property
    def metrics(self) -> list[Metric]:
        """All metrics that could be built."""
        return self._metrics[0]

    @property
    def left_out(self) -> dict[str, str]:
        """The names of the others, and why."""
        return self._metrics[1]

    @cached_property
    def _metrics(self) -> tuple[list[Metric], dict[str, str]]:
        return self._recipe.build_metrics()


@dataclass(frozen=True)
class Task:
    """A recording, the rows that are wanted of it, each with what there is of it so far, and the
    folder of the run.
    """

    recording: Recording
    wanted: Mapping[Place, Row | None]
    out: Path


@dataclass(frozen=True)
class Facts:
    """What tools call themselves: systems with their settings, the metrics' columns, and the
    metrics that were left out, with reasons.
    """

    systems: list[SystemFacts]
    columns: list[Column]
    left_out: dict[str, str]


def describe(tools: Tools, systems: Sequence[tuple[str, Kind]]) -> Facts:
    """See `Facts`. Raises ValueError where two metrics fill one column."""
    facts = [
        SystemFacts(text, kind, system.name, tuple(system.settings))
        for (text, kind), system in zip(systems, tools.systems, strict=True)
    ]
    columns: list[Column] = [c for metric in tools.metrics for c in metric.columns]
    names = [column.name for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"several metrics fill the columns {twice}: ask for one of them")
    return Facts(facts, columns, tools.left_out)


def score(tools: Tools, task: Task) -> list[Row]:
    """The wanted rows of one recording; of rows that are there, the columns that they lack.

    Nothing that a file, system or metric does ends the run; memory that runs out does.
    """
    recording = task.recording
    systems = [s for s in tools.systems if any(place.system == s.name for place in task.wanted)]
    sha1 = audio_sha1(recording.path)
    try:
        audio, rate = recording.load()
        found = flag(audio, rate)
    except (ValueError, OSError) as error:
        found, audio, rate = Flag("unreadable", reason(error, recording), scored=False), None, 0
    rows = []
    for system in systems:
        wanted = [s for s in system.settings if _place(recording, system, s) in task.wanted]
        blank = _blank(recording, sha1, found, audio, rate)
        if audio is None or not found.scored:
            rows += [_row(blank, system, s, {"recording": found.why}) for s in wanted]
        else:
            rows += _run(tools, task, system, wanted, audio, rate, blank)
    return rows


def _run(
    tools: Tools,
    task: Task,
    system: System,
    wanted: Sequence[str],
    audio: Tensor,
    rate: int,
    blank: Row,
) -> list[Row]:
    """One system's rows; settings that it does not come to get the error."""
    rows: dict[str, Row] = {}
    why, kept = "the system gave nothing at this setting", 0
    try:
        for output in system.run(audio, rate):
            check_stop()
            if output.setting in wanted:
                before = task.wanted[_place(task.recording, system, output.setting)]
                row = _row(blank, system, output.setting, {}) if before is None else before
                row = _with_cost(row, output, audio.shape[1] / rate)
                rows[output.setting] = _scored(row, tools.metrics, task.recording, audio, output)
            if output.encoded is not None and output.encoded.num_quantizers > kept:
                keep_codes(task.out, system.name, task.recording, output.encoded)
                kept = output.encoded.num_quantizers
    except MemoryError:
        raise
    except Exception as error:  # whatever a foreign codec raises
        why = reason(error, task.recording)
    for setting in wanted:
        if setting not in rows:
            before = task.wanted[_place(task.recording, system, setting)]
            rows[setting] = _without_output(before, _row(blank, system, setting, {}), why, tools)
    return [rows[setting] for setting in wanted]


def _without_output(before: Row | None, new: Row, why: str, tools: Tools) -> Row:
    """The row where the system gave nothing: all of it, or the columns that it lacked, failed."""
    if before is None:
        return new | {"errors": {"system": why}}
    names = lacking(before, [c for metric in tools.metrics for c in metric.columns])
    errors = before["errors"] | dict.fromkeys(names, why)
    return before | dict.fromkeys(names) | {"errors": errors}


def _scored(
    row: Row, metrics: Sequence[Metric], recording: Recording, audio: Tensor, output: Output
) -> Row:
    """The row with the columns that it lacked: a figure, or None and why.

    What went wrong is among the row's `errors`; why there is no figure though nothing did, among
    its `notes`. Metrics of speech leave music and effects out.
    """
    errors, notes, found = dict(row["errors"]), dict(row["notes"]), dict[str, Any]()
    try:
        sample = Sample(
            recording.key,
            audio,
            output.audio,
            row["sample_rate"],
            recording.text,
            recording.language,
        )
    except ValueError as error:
        return row | {"errors": errors | {"system": reason(error, recording)}}
    spoken = recording.domain not in ("music", "sound")
    for metric in metrics:
        check_stop()
        names = [column.name for column in metric.columns if column.name not in row]
        if not names:
            continue
        found |= dict.fromkeys(names)
        if metric.speech_only and not spoken:
            notes |= dict.fromkeys(names, "a metric of speech")
            continue
        try:
            values = metric(sample)
            for column in metric.columns:
                value = values.get(column.name)
                if column.name not in names:
                    continue
                if value is None:
                    notes[column.name] = "not known of this recording"
                elif isinstance(value, str):
                    found[column.name] = readable(value)
                elif math.isnan(value):
                    errors[column.name] = "not a number"
                elif math.isinf(value):
                    notes[column.name] = "infinite"
                else:
                    found[column.name] = float(value)
        except MemoryError:
            raise
        except Exception as error:  # a library's own errors among them
            found |= dict.fromkeys(names)
            errors |= dict.fromkeys(names, reason(error, recording))
    return row | found | {"errors": errors, "notes": notes}


def _blank(
    recording: Recording, sha1: str | None, found: Flag, audio: Tensor | None, rate: int
) -> Row:
    """What all rows of a recording share."""
    read = audio is not None
    return {
        "key": recording.key,
        "audio_sha1": sha1,
        "domain": recording.domain,
        "language": recording.language,
        "corpus": recording.corpus,
        "band_edge": recording.band_edge,
        "seconds": audio.shape[1] / rate if read else recording.seconds,
        "sample_rate": rate if read else None,
        "channels": audio.shape[0] if read else None,
        "flag": found.name,
    }


def _row(blank: Row, system: System, setting: str, errors: dict[str, str]) -> Row:
    nothing: dict[str, Any] = dict.fromkeys(_COST)
    place = {"system": system.name, "setting": setting}
    return blank | place | {"errors": errors, "notes": {}} | nothing


_COST = (
    "bits",
    "kbps",
    "num_quantizers",
    "encode_seconds",
    "decode_seconds",
    "weights",
    "code_space",
)


def _with_cost(row: Row, output: Output, seconds: float) -> Row:
    """The row with what the output cost. Of a row that has it, bits must be the same; its times
    stay.

    Raises ValueError for other bits, and where a system states none that can be had.
    """
    bits = None if output.bits is None else int(output.bits)
    depth, seen = output.num_quantizers, row["encode_seconds"] is not None
    times = float(output.encode_seconds), float(output.decode_seconds)
    if not all(map(math.isfinite, times)) or (bits or 0) < 0:
        raise ValueError(f"the system states {bits} bits and {times} seconds")
    if seen and bits != row["bits"]:
        raise ValueError(
            f"{bits} bits now, {row['bits']} when it was first scored: the system has changed, "
            "choose another output folder"
        )
    if seen:
        return row | {"weights": output.weights}
    return row | {
        "bits": bits,
        "kbps": None if bits is None else bits / seconds / 1000,
        "num_quantizers": None if depth is None else int(depth),
        "encode_seconds": times[0],
        "decode_seconds": times[1],
        "weights": output.weights,
        "code_space": output.encoded.weight_hash or None if output.encoded else None,
    }


def _place(recording: Recording, system: System, setting: str) -> Place:
    return Place(recording.key, system.name, setting)


def reason(error: Exception, recording: Recording) -> str:
    """An error in a line that can be shown: the recording by its key, without its folder."""
    text = " ".join(str(error).replace(str(recording.path), recording.key).split())
    text = readable(text)
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"

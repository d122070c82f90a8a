"""One recording through all systems and metrics: rows of figures, or of what went wrong."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from catok.audio import load_audio
from catok.evaluation.metrics.base import Column, Metric
from catok.evaluation.rowfile import Row
from catok.evaluation.run.codes import keep_codes
from catok.evaluation.run.crew import check_stop
from catok.evaluation.run.flags import Flag, flag
from catok.evaluation.run.record import Kind, SystemFacts
from catok.evaluation.run.recordings import Recording
from catok.evaluation.run.rows import Place
from catok.evaluation.sample import Sample
from catok.evaluation.systems.base import Output, System


@dataclass(frozen=True)
class Recipe:
    """What a process needs in order to build its tools; called, it gives them."""

    systems: tuple[tuple[str, Kind], ...]
    build_system: Callable[[str], System]
    build_metrics: Callable[[], Sequence[Metric]]

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

    @cached_property
    def metrics(self) -> list[Metric]:
        """All metrics."""
        return list(self._recipe.build_metrics())


@dataclass(frozen=True)
class Task:
    """A recording, the rows that are wanted of it, and the folder of the run."""

    recording: Recording
    wanted: frozenset[Place]
    out: Path


def describe(tools: Tools, systems: Sequence[tuple[str, Kind]]) -> tuple[list[SystemFacts], list]:
    """What the tools call themselves: systems with their settings, and the metrics' columns."""
    facts = [
        SystemFacts(text, kind, system.name, tuple(system.settings))
        for (text, kind), system in zip(systems, tools.systems, strict=True)
    ]
    columns: list[Column] = [c for metric in tools.metrics for c in metric.columns]
    names = [column.name for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"several metrics fill the columns {twice}: ask for one of them")
    return facts, columns


def score(tools: Tools, task: Task) -> list[Row]:
    """The wanted rows of one recording. Nothing that a file, system or metric does ends the run;
    memory that runs out does.
    """
    recording = task.recording
    systems = [s for s in tools.systems if any(place.system == s.name for place in task.wanted)]
    try:
        audio, rate = load_audio(recording.path)
        found = flag(audio, rate)
    except (ValueError, OSError) as error:
        found, audio, rate = Flag("unreadable", str(error), scored=False), None, 0
    rows = []
    for system in systems:
        wanted = [s for s in system.settings if _place(recording, system, s) in task.wanted]
        blank = _blank(recording, found, audio, rate)
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
    reason, kept = "the system gave nothing at this setting", 0
    try:
        for output in system.run(audio, rate):
            check_stop()
            if output.setting in wanted:
                figures, errors = _figures(tools.metrics, task.recording, audio, rate, output)
                cost = _cost(output, audio.shape[1] / rate)
                rows[output.setting] = _row(blank, system, output.setting, errors) | cost | figures
            if output.encoded is not None and output.encoded.num_quantizers > kept:
                keep_codes(task.out, system.name, task.recording, output.encoded)
                kept = output.encoded.num_quantizers
    except MemoryError:
        raise
    except Exception as error:  # whatever a foreign codec raises
        reason = _reason(error)
    for setting in wanted:
        rows.setdefault(setting, _row(blank, system, setting, {"system": reason}))
    return [rows[setting] for setting in wanted]


def _figures(
    metrics: Sequence[Metric], recording: Recording, audio: Tensor, rate: int, output: Output
) -> tuple[dict[str, float | None], dict[str, str]]:
    """Every column's figure, None where there is none, and why by column.

    Metrics of speech leave music and effects out. An infinite figure (the SI-SDR of the original
    itself) is left out without an error.
    """
    figures: dict[str, float | None] = {}
    errors: dict[str, str] = {}
    try:
        sample = Sample(
            recording.key, audio, output.audio, rate, recording.text, recording.language
        )
    except ValueError as error:
        return figures, {"system": _reason(error)}
    spoken = recording.domain not in ("music", "sound")
    for metric in metrics:
        check_stop()
        names = [column.name for column in metric.columns]
        figures |= dict.fromkeys(names)
        if metric.speech_only and not spoken:
            continue
        try:
            values = metric(sample)
        except MemoryError:
            raise
        except Exception as error:  # a library's own errors among them
            errors |= dict.fromkeys(names, _reason(error))
            continue
        for name in names:
            value = values.get(name)
            if value is not None and math.isnan(value):
                errors[name] = "not a number"
            elif value is not None and math.isfinite(value):
                figures[name] = float(value)
    return figures, errors


def _blank(recording: Recording, found: Flag, audio: Tensor | None, rate: int) -> Row:
    """What all rows of a recording share."""
    read = audio is not None
    return {
        "key": recording.key,
        "domain": recording.domain,
        "language": recording.language,
        "source": recording.source,
        "band_edge": recording.band_edge,
        "seconds": audio.shape[1] / rate if read else recording.seconds,
        "sample_rate": rate if read else None,
        "channels": audio.shape[0] if read else None,
        "flag": found.name,
    }


def _row(blank: Row, system: System, setting: str, errors: dict[str, str]) -> Row:
    nothing: dict[str, Any] = dict.fromkeys(
        ("bits", "kbps", "num_quantizers", "encode_seconds", "decode_seconds", "weights")
    )
    return blank | {"system": system.name, "setting": setting, "errors": errors} | nothing


def _cost(output: Output, seconds: float) -> Row:
    return {
        "bits": output.bits,
        "kbps": None if output.bits is None else output.bits / seconds / 1000,
        "num_quantizers": output.num_quantizers,
        "encode_seconds": output.encode_seconds,
        "decode_seconds": output.decode_seconds,
        "weights": output.weights,
    }


def _place(recording: Recording, system: System, setting: str) -> Place:
    return Place(recording.key, system.name, setting)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"

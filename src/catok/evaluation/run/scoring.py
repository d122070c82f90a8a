"""One recording through all systems and metrics: rows of figures, or of what went wrong."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch import Tensor

from catok.audio import audio_warnings
from catok.evaluation.markdown import readable
from catok.evaluation.metrics.base import Metric
from catok.evaluation.results_folder import Row, audio_sha1
from catok.evaluation.run.artifacts import save_codes
from catok.evaluation.run.recordings import EvalRecording
from catok.evaluation.run.rows import RowKey, missing_columns
from catok.evaluation.run.worker import Worker
from catok.evaluation.sample import Sample
from catok.evaluation.systems.base import Output, System
from catok.io.files import reason
from catok.worker_pool import raise_if_cancelled

MIN_SECONDS = 0.5
SILENT_PEAK = 1e-3  # -60 dB of full scale
FULL_SCALE = 0.9999
CLIPPED_SHARE = 1e-3  # of the samples


class Flag(NamedTuple):
    """What is wrong with a recording, in a word and a sentence, and whether it is `scored`."""

    name: Literal["", "unreadable", "short", "silent", "incomplete", "clipped"]
    why: str = ""
    scored: bool = True


def check_recording(audio: Tensor, sample_rate: int) -> Flag:
    """The flag of a recording `[C, T]`.

    "short": under 0.5 s. "silent": no sample above -60 dB of full scale. "clipped": more than 0.1 %
    of the samples at full scale; such a recording is scored, the flag only warns.
    """
    seconds = audio.shape[1] / sample_rate
    if seconds < MIN_SECONDS:
        return Flag("short", f"{seconds:.2f} s long, under {MIN_SECONDS} s", scored=False)
    size = audio.abs()
    if float(size.max()) < SILENT_PEAK:
        return Flag("silent", "no sample above -60 dB of full scale", scored=False)
    share = float((size >= FULL_SCALE).float().mean())
    if share > CLIPPED_SHARE:
        return Flag("clipped", f"{100 * share:.2f} % of the samples are at full scale")
    return Flag("")


@dataclass(frozen=True)
class ScoringTask:
    """A recording, the rows requested of it, each with what there is of it so far, and the folder
    of the run.
    """

    recording: EvalRecording
    requested: Mapping[RowKey, Row | None]
    out: Path


def score_recording(worker: Worker, task: ScoringTask) -> list[Row]:
    """The requested rows of one recording; of existing rows, the columns that they lack.

    Nothing that a file, system or metric does ends the run; memory that runs out does.
    """
    recording = task.recording
    systems = [s for s in worker.systems if any(key.system == s.name for key in task.requested)]
    sha1 = audio_sha1(recording.path)
    try:
        with audio_warnings() as missing:
            audio, rate = recording.load()
        flag = check_recording(audio, rate)
        if missing and flag.scored:
            flag = Flag("incomplete", shown_text("; ".join(missing), recording))
    except (ValueError, OSError) as error:
        flag, audio, rate = Flag("unreadable", error_text(error, recording), scored=False), None, 0
    rows = []
    for system in systems:
        settings = [s for s in system.settings if _row_key(recording, system, s) in task.requested]
        columns = _recording_columns(recording, sha1, flag, audio, rate)
        if audio is None or not flag.scored:
            rows += [_new_row(columns, system, s, {"recording": flag.why}) for s in settings]
        else:
            rows += _run_system(worker, task, system, settings, audio, rate, columns)
    return rows


def _run_system(
    worker: Worker,
    task: ScoringTask,
    system: System,
    settings: Sequence[str],
    audio: Tensor,
    rate: int,
    columns: Row,
) -> list[Row]:
    """One system's rows; settings that it does not come to get the error."""
    rows: dict[str, Row] = {}
    why = "the system gave nothing at this setting"
    num_saved = 0  # codebooks of the codes on disk
    try:
        for output in system.run(audio, rate):
            raise_if_cancelled()
            if output.setting in settings:
                existing = task.requested[_row_key(task.recording, system, output.setting)]
                row = (
                    _new_row(columns, system, output.setting, {}) if existing is None else existing
                )
                row = _with_cost(row, output, audio.shape[1] / rate)
                rows[output.setting] = _with_figures(
                    row, worker.metrics, task.recording, audio, output
                )
            if output.encoded is not None and output.encoded.num_quantizers > num_saved:
                save_codes(task.out, system.name, task.recording, output.encoded)
                num_saved = output.encoded.num_quantizers
    except MemoryError:
        raise
    except Exception as error:  # whatever a foreign codec raises
        why = error_text(error, task.recording)
    for setting in settings:
        if setting not in rows:
            existing = task.requested[_row_key(task.recording, system, setting)]
            rows[setting] = _without_output(
                existing, _new_row(columns, system, setting, {}), why, worker
            )
    return [rows[setting] for setting in settings]


def _without_output(existing: Row | None, new: Row, why: str, worker: Worker) -> Row:
    """The row where the system gave nothing: all of it, or the columns that it lacked, failed."""
    if existing is None:
        return new | {"errors": {"system": why}}
    names = missing_columns(existing, [c for metric in worker.metrics for c in metric.columns])
    errors = existing["errors"] | dict.fromkeys(names, why)
    return existing | dict.fromkeys(names) | {"errors": errors}


def _with_figures(
    row: Row, metrics: Sequence[Metric], recording: EvalRecording, audio: Tensor, output: Output
) -> Row:
    """The row with the columns that it lacked: a figure, or None and why.

    What went wrong is among the row's `errors`; why there is no figure though nothing did, among
    its `notes`. Metrics of speech leave music and effects out.
    """
    errors, notes, figures = dict(row["errors"]), dict(row["notes"]), dict[str, Any]()
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
        return row | {"errors": errors | {"system": error_text(error, recording)}}
    is_speech = recording.domain not in ("music", "sound")
    for metric in metrics:
        raise_if_cancelled()
        names = [column.name for column in metric.columns if column.name not in row]
        if not names:
            continue
        figures |= dict.fromkeys(names)
        if metric.speech_only and not is_speech:
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
                    figures[column.name] = readable(value)
                elif math.isnan(value):
                    errors[column.name] = "not a number"
                elif math.isinf(value):
                    notes[column.name] = "infinite"
                else:
                    figures[column.name] = float(value)
        except MemoryError:
            raise
        except Exception as error:  # a library's own errors among them
            figures |= dict.fromkeys(names)
            errors |= dict.fromkeys(names, error_text(error, recording))
    return row | figures | {"errors": errors, "notes": notes}


def _recording_columns(
    recording: EvalRecording, sha1: str | None, flag: Flag, audio: Tensor | None, rate: int
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
        "flag": flag.name,
        "notes": {"recording": flag.why} if flag.scored and flag.why else {},
    }


def _new_row(columns: Row, system: System, setting: str, errors: dict[str, str]) -> Row:
    key = {"system": system.name, "setting": setting}
    empty: dict[str, Any] = dict.fromkeys(_COST_COLUMNS)
    return columns | key | {"errors": errors} | empty


_COST_COLUMNS = (
    "bits",
    "kbps",
    "num_quantizers",
    "encode_seconds",
    "decode_seconds",
    "weights",
    "code_space",
)


def _with_cost(row: Row, output: Output, seconds: float) -> Row:
    """The row with what the output cost. A row that has its cost keeps the times; bits must agree.

    Raises ValueError for other bits, and for numbers that make no sense.
    """
    bits = None if output.bits is None else int(output.bits)
    count = output.num_quantizers
    is_timed = row["encode_seconds"] is not None
    times = float(output.encode_seconds), float(output.decode_seconds)
    if not all(map(math.isfinite, times)) or (bits or 0) < 0:
        raise ValueError(f"the system states {bits} bits and {times} seconds")
    if is_timed and bits != row["bits"]:
        raise ValueError(
            f"{bits} bits now, {row['bits']} when it was first scored: the system has changed, "
            "choose another output folder"
        )
    if is_timed:
        return row | {"weights": output.weights}
    return row | {
        "bits": bits,
        "kbps": None if bits is None else bits / seconds / 1000,
        "num_quantizers": None if count is None else int(count),
        "encode_seconds": times[0],
        "decode_seconds": times[1],
        "weights": output.weights,
        "code_space": output.encoded.weight_hash or None if output.encoded else None,
    }


def _row_key(recording: EvalRecording, system: System, setting: str) -> RowKey:
    return RowKey(recording.key, system.name, setting)


def error_text(error: Exception, recording: EvalRecording) -> str:
    """An error in a line that can be shown, see `shown_text`."""
    text = shown_text(reason(error), recording)
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"


def shown_text(text: str, recording: EvalRecording) -> str:
    """A message in a line, with the recording by its key, without its folder."""
    return readable(" ".join(text.replace(str(recording.path), recording.key).split()))

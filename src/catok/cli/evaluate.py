"""`catok evaluate`: figures, curves and a page to listen to."""

import shutil
import sys
from typing import TYPE_CHECKING, Annotated

from tqdm import tqdm
from tyro.conf import arg

from catok.cli import arguments as shared
from catok.cli import terminal
from catok.cli.common import command
from catok.cli.terminal import print_error, print_note, print_result
from catok.extras import require

if TYPE_CHECKING:
    from catok.evaluation.run.evaluate import RunProgress
    from catok.evaluation.run.summary import Summary

_NONE = "(default: none)"
_ALL = "(default: all)"


@command
def run(
    data: Annotated[
        str,
        arg(metavar="DATA", help="A folder of audio, or a JSON-lines manifest (audio, duration)."),
    ],
    out: Annotated[
        str,
        arg(
            aliases=["-o"],
            metavar="FOLDER",
            help="Where rows, tables and report.html go; an earlier run there goes on.",
        ),
    ],
    model: Annotated[
        tuple[str, ...],
        arg(metavar="M...", help='Tokenizers: "tiny", model folders, hub ids.'),
    ] = ("tiny",),
    bitrates: Annotated[
        str | None,
        arg(
            metavar="KBPS",
            help='Of the models: "all", kbit/s such as 0.5,1,2, or codebooks such as 4q,8q.',
            help_behavior_hint=_ALL,
        ),
    ] = None,
    baselines: Annotated[
        tuple[str, ...],
        arg(
            metavar="SYSTEM...",
            help="Other codecs: opus:6,12, codec2:3200,1200, encodec=FOLDER:6, mimi=..., dac=..., "
            "or python=module:Class.",
            help_behavior_hint=_NONE,
        ),
    ] = (),
    metrics: Annotated[
        tuple[str, ...],
        arg(
            metavar="NAME...",
            help='Presets "fast", "speech", "audio", names such as pesq, or python=module:Class.',
        ),
    ] = ("fast",),
    limit: Annotated[
        int | None,
        arg(metavar="N", help="At most so many recordings.", help_behavior_hint=_ALL),
    ] = None,
    per_domain: Annotated[
        int | None,
        arg(metavar="N", help="At most so many of each domain.", help_behavior_hint=_ALL),
    ] = None,
    seed: Annotated[int, arg(metavar="S", help="Another choice where they are limited.")] = 0,
    min_seconds: Annotated[
        float | None,
        arg(metavar="X", help="Leave out shorter recordings.", help_behavior_hint=_NONE),
    ] = None,
    max_seconds: Annotated[
        float | None,
        arg(metavar="X", help="Leave out longer recordings.", help_behavior_hint=_NONE),
    ] = None,
    workers: Annotated[int, arg(metavar="N", help="Processes that work side by side.")] = 1,
    threads: int | None = None,
    device: shared.Device = "auto",
    examples: Annotated[
        int, arg(metavar="N", help="Recordings per domain to listen to in the report.")
    ] = 2,
    asr: Annotated[
        str | None,
        arg(
            metavar="ASR",
            help=f"Recogniser: {shared.RECOGNISERS}",
            help_behavior_hint="(default: tiny.en)",
        ),
    ] = None,
    speaker: Annotated[
        str | None,
        arg(
            metavar="MODEL",
            help=f"Speaker model: {shared.SPEAKERS}",
            help_behavior_hint="(default: microsoft/wavlm-base-plus-sv)",
        ),
    ] = None,
    utmos: Annotated[
        str | None,
        arg(metavar="FILE", help="UTMOS as a TorchScript file.", help_behavior_hint=_NONE),
    ] = None,
    language: Annotated[
        str | None,
        arg(
            metavar="CODE",
            help="Language of recordings that do not say theirs, such as en.",
            help_behavior_hint=_NONE,
        ),
    ] = None,
    retry: Annotated[
        bool,
        arg(
            help="Score again what has errors, and recordings whose files have changed.",
            help_behavior_hint="",
        ),
    ] = False,
) -> int:
    """Measure tokenizers and other codecs on recordings.

    Ctrl-C loses the recordings under way; the same command goes on. Further models, baselines and
    metrics are added to what FOLDER holds. The exit code is 1 if something could not be read,
    coded or scored.
    """
    from pathlib import Path

    shared.check_exists(data)
    shared.check_count("--workers", workers)
    require("eval", "pyarrow")

    from catok.cli.loading import pick_device
    from catok.data.folders import find_audio
    from catok.evaluation.metrics.registry import MetricOptions
    from catok.evaluation.report.page import write_report
    from catok.evaluation.run.evaluate import Evaluation, evaluate
    from catok.evaluation.run.provenance import shareable_command
    from catok.evaluation.run.recordings import Selection

    ending = "" if bitrates is None else f":{bitrates}"
    evaluation = Evaluation(
        data=data,
        models=tuple(name + ending for name in model),
        baselines=baselines,
        metrics=metrics,
        options=MetricOptions(speaker=speaker, utmos=utmos, asr=asr, language=language),
        selection=Selection(limit, per_domain, min_seconds, max_seconds, seed),
        workers=workers,
        threads=threads,
        device=str(pick_device(device)),
        examples=examples,
        retry=retry,
    )
    left_out = find_audio(data).summary if Path(data).is_dir() else ""
    if left_out:
        print_note(f"catok: {data}: left out {left_out}")
    command = shareable_command(sys.argv)
    with RecordingsBar() as display:
        summary = evaluate(evaluation, Path(out), command=command, report=display.show)
    page = write_report(Path(out), summary)
    for name, reason in summary.left_out.items():
        print_note(f"catok: {name} is left out: {reason}")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print_result(headline(summary, width))
    if summary.failed:
        print_error(f"catok: {summary.failed} of {summary.recordings} recordings have errors")
    print_note(f"catok: report in {page}")
    return 1 if summary.failed else 0


class RecordingsBar:
    """Context with a bar of recordings on a terminal; else a line for every tenth of the work."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def __enter__(self) -> "RecordingsBar":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, progress: "RunProgress") -> None:
        """Another recording is done."""
        if terminal.has_bars():
            if self._bar is None:
                self._bar = terminal.bar(progress.total, unit="recording")
            self._bar.update(progress.done - self._bar.n)
        elif 10 * progress.done // progress.total > 10 * (progress.done - 1) // progress.total:
            line = f"catok: {progress.done} of {progress.total} recordings done"
            print_note(line)


def headline(summary: "Summary", width: int | None = None) -> str:
    """The figures over all recordings, and what went wrong, as aligned lines.

    A line per system and setting or, where that is wider than `width` characters, a column.
    """
    from catok.evaluation.run.formatting import (
        column_title,
        format_number,
        format_significant,
        shown_columns,
    )
    from catok.evaluation.run.summary import ALL_DOMAINS

    groups = summary.of_domain(ALL_DOMAINS)
    columns = shown_columns(summary.columns, groups)
    rows = [["system", "setting", "kbit/s", "files", *map(column_title, columns)]]
    for group in groups:
        figures = [format_number(group.figures[c.name].mean, c.digits) for c in columns]
        files = str(group.files - group.failed)
        rows.append([group.system, group.setting, format_significant(group.kbps), files, *figures])
    lines = _aligned(rows)
    if width is not None and max(map(len, lines)) > width:
        lines = _aligned([list(cells) for cells in zip(*rows, strict=True)])
    if summary.failures:
        flags = ", ".join(f"{count} {name}" for name, count in sorted(summary.flags.items()))
        flags = f" ({flags})" if flags else ""
        lines.append(f"flags and failures: {len(summary.failures)}{flags}, see summary.md")
    return "\n".join(lines)


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]

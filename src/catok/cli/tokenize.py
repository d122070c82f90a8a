"""`catok tokenize`: a corpus to shards of codes."""

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

from tyro.conf import Positional, arg

from catok.cli import arguments as shared
from catok.cli.common import command
from catok.cli.errors import UsageError
from catok.cli.files import Shard
from catok.cli.terminal import bar, has_bars

if TYPE_CHECKING:
    from tqdm import tqdm

    from catok.corpus import TokenizeSummary

_NO_DEFAULT = ""
FormatName = Literal["parquet", "webdataset", "shar", "jsonl", "memmap", "cat"]


@command
def run(
    inputs: Annotated[
        Positional[tuple[str, ...]],
        arg(
            metavar="INPUT...",
            help="Folders of audio, JSON-lines manifests, Kaldi or Shar folders, lhotse cuts, "
            "WebDataset .tar or Parquet with audio; also as URLs.",
            help_behavior_hint=_NO_DEFAULT,
        ),
    ],
    out: Annotated[
        str,
        arg(
            aliases=["-o"],
            metavar="OUT",
            help="The folder of shards, or its URL; a run that was stopped goes on in it.",
        ),
    ],
    quantizers: shared.Quantizers = None,
    model: shared.Model = "tiny",
    device: shared.Device = "auto",
    dtype: shared.Dtype = "float32",
    format: Annotated[FormatName, arg(help="Of the shards, see docs/tokenize.md.")] = "parquet",
    shard_size: Annotated[int, arg(metavar="N", help="Recordings to a shard.")] = 1000,
    rows: Annotated[
        int | None,
        arg(
            metavar="N",
            help="Recordings encoded at once.",
            help_behavior_hint="(default: 1 on CPUs, 64 on a GPU)",
        ),
    ] = None,
    frames: Annotated[
        int | None,
        arg(
            metavar="N",
            help="Frames of each per step.",
            help_behavior_hint="(default: 256 on CPUs, 25 on a GPU)",
        ),
    ] = None,
    workers: Annotated[int, arg(metavar="N", help="Processes that read audio ahead; 0: none.")] = 0,
    shard: Annotated[
        str | None,
        arg(
            metavar="I/N",
            help="Make every N-th shard from the I-th on, I from 1 to N, for N machines on one "
            "OUT; auto: as a Slurm array or torchrun says.",
            help_behavior_hint=_NO_DEFAULT,
        ),
    ] = None,
    max_failures: Annotated[
        int | None,
        arg(
            metavar="N",
            help="End with an error when more recordings fail.",
            help_behavior_hint="(default: any number may fail)",
        ),
    ] = None,
    retry_failed: Annotated[
        bool, arg(help="Make shards with failures again.", help_behavior_hint=_NO_DEFAULT)
    ] = False,
    verify_content: Annotated[
        bool,
        arg(
            help="Tell by a hash of their content whether recordings were replaced, not by size "
            "and time alone. Reads all audio once more.",
            help_behavior_hint=_NO_DEFAULT,
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        arg(help="Replace tokens of other recordings in OUT.", help_behavior_hint=_NO_DEFAULT),
    ] = False,
    ray: Annotated[
        str | None,
        arg(
            metavar="ADDRESS",
            help='Work on a Ray cluster: its address, "auto", or "local" for one on this machine.',
            help_behavior_hint=_NO_DEFAULT,
        ),
    ] = None,
    actors: Annotated[
        int | None,
        arg(
            metavar="N",
            help="Models at work on the Ray cluster.",
            help_behavior_hint="(default: one per GPU, or one for two CPUs)",
        ),
    ] = None,
) -> int:
    """Encode a corpus into shards of codes, with all that the input says of its recordings.

    Recordings that cannot be read are listed in OUT/failed.jsonl, and the others go on; the exit
    code is 1 if any failed, now or before. Run again, the command goes on where it was stopped.
    """
    if not inputs:
        raise UsageError("no input: name folders, manifests or archives")
    if ray is None and actors is not None:
        raise UsageError("--actors is for --ray: use --workers for processes that read audio")
    if ray is not None and shard is not None:
        raise UsageError("--shard and --ray both share the work: use one of them")
    part = parse_shard(shard, os.environ)
    for option, value in (("--quantizers", quantizers), ("--actors", actors)):
        shared.check_count(option, value)

    from catok.audio import audio_warnings
    from catok.cli.terminal import print_note
    from catok.corpus import TokenizeConfig, tokenize

    config = TokenizeConfig(
        num_quantizers=quantizers,
        format=format,
        shard_size=shard_size,
        rows=rows,
        frames=frames,
        workers=workers,
        shard=part,
        max_failures=max_failures,
        retry_failed=retry_failed,
        verify_content=verify_content,
        overwrite=overwrite,
    )
    with (
        audio_warnings(lambda line: print_note(f"catok: warning: {line}")) as incomplete,
        _Bar() as progress,
    ):
        if ray is not None:
            from catok.corpus import tokenize_on_ray

            summary = tokenize_on_ray(
                model,
                inputs,
                out,
                config,
                address=None if ray == "local" else ray,
                actors=actors,
                device=device,
                dtype=dtype,
                report=progress.show,
            )
        else:
            from catok.cli.loading import load_model

            tokenizer = load_model(model, device, dtype, part="encoder")
            summary = tokenize(tokenizer, inputs, out, config, report=progress.show)
    for line in summary_lines(summary, out):
        print_note(f"catok: {line}")
    if incomplete:
        print_note(f"catok: recordings not read whole: {len(incomplete)}")
    return 1 if summary.failures or summary.failed_before else 0


def parse_shard(text: str | None, environment: Mapping[str, str]) -> tuple[int, int]:
    """(i, n) counted from 0, of "1/4" to "4/4", or of "auto" as the environment says.

    Raises UsageError on others, and for "auto" outside of a Slurm array and torchrun.
    """
    if text is None:
        return 0, 1
    if text == "auto":
        if "SLURM_ARRAY_TASK_ID" in environment:
            names = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT")
            task, least, count = (int(environment.get(name, "0")) for name in names)
            step = int(environment.get("SLURM_ARRAY_TASK_STEP", "1"))
            return (task - least) // step, max(1, count)
        if "RANK" in environment and "WORLD_SIZE" in environment:
            return int(environment["RANK"]), int(environment["WORLD_SIZE"])
        raise UsageError("--shard auto is for Slurm arrays and torchrun: there is neither here")
    part = Shard.parse(text)
    return part.index - 1, part.count


def summary_lines(summary: "TokenizeSummary", out: str) -> list[str]:
    """What a run did, for people."""
    hours = summary.audio / 3600
    good = summary.recordings - summary.failures
    lines = [f"encoded {good} of {summary.total} recordings, {hours:.2f} h of audio, into {out}"]
    if summary.kept:
        lines[0] += f"; {summary.kept} were done before"
    if good:
        lines.append(
            f"{summary.hours_per_hour:.1f} hours per hour, held up by {summary.bottleneck}; "
            f"{summary.padding:.1%} of the computed frames were padding"
        )
    if hours and summary.size:
        lines.append(f"{summary.size / hours / 1e6:.2f} MB per hour")
    notes = {"silent": summary.silent, "with samples at full scale": summary.clipped}
    said = [f"{count} {what}" for what, count in notes.items() if count]
    if said:
        lines.append(", ".join(said))
    if summary.failures:
        lines.append(f"{summary.failures} failed, see {out}/failed.jsonl")
    if summary.failed_before:
        lines.append(f"{summary.failed_before} failed before: --retry-failed tries them again")
    return lines


class _Bar:
    """A bar in audio where its length is known, else in recordings; on a terminal only."""

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None
        self._next = 0.0

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, summary: "TokenizeSummary") -> None:
        """How far the run is; drawn at most ten times a second."""
        now = time.monotonic()
        if not has_bars() or now < self._next:
            return
        self._next = now + 0.1
        known = summary.expected is not None
        if self._bar is None:
            total = (summary.expected or 0) / 3600 if known else summary.total - summary.kept
            unit = "h" if known else "recordings"
            form = f"{{percentage:3.0f}}%|{{bar}}| {{n:.{2 * known}f}}/{{total:.{2 * known}f}} "
            form += f"{unit} [{{elapsed}}<{{remaining}}{{postfix}}]"
            self._bar = bar(total, bar_format=form)
        done = summary.audio / 3600 if known else summary.recordings
        self._bar.total = max(self._bar.total, done)
        self._bar.set_postfix_str(f"{summary.failures} failed", refresh=False)
        self._bar.update(done - self._bar.n)

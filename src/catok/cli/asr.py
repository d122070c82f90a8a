"""`catok asr`: what is said in recordings or `.cat` files."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

from tyro.conf import Positional, arg

from catok.cli import arguments as shared

if TYPE_CHECKING:
    from torch import Tensor

    from catok.cli.files import Job, Plan
    from catok.cli.progress import Progress
    from catok.lm.asr import DecodingConfig, Recognizer, Transcript

_NO_DEFAULT = ""
BLOCK = 0.16  # seconds of audio between two looks at the partial text
UNUSED = ".transcript"  # results go into one file: no input has a name that this could replace


def run(
    inputs: Annotated[
        Positional[tuple[str, ...]],
        arg(
            metavar="INPUT...",
            help="Audio or .cat files, folders of them, or - for standard input.",
            help_behavior_hint=_NO_DEFAULT,
        ),
    ],
    out: Annotated[
        str | None,
        arg(
            aliases=["-o"],
            metavar="OUT",
            help="A file for all transcripts: .txt, .jsonl or, for one input, .srt. Without it: "
            "standard output.",
            help_behavior_hint=_NO_DEFAULT,
        ),
    ] = None,
    model: Annotated[
        str, arg(metavar="M", help='"tiny-asr", a folder of a speech recogniser, or a hub id.')
    ] = "tiny-asr",
    method: Annotated[
        Literal["beam", "greedy", "ctc"],
        arg(help="Beam search, the likeliest token at each step, or the CTC head alone: fastest."),
    ] = "beam",
    beam: Annotated[int, arg(metavar="N", help="Texts that beam search follows at once.")] = 4,
    timestamps: Annotated[
        bool, arg(help="Give the time of every word; needs a CTC head.", help_behavior_hint="")
    ] = False,
    stream: Annotated[
        bool,
        arg(
            help="Recognise audio as it comes in; the text so far is printed on stderr.",
            help_behavior_hint="",
        ),
    ] = False,
    pcm: Annotated[
        int | None,
        arg(
            metavar="HZ",
            help="Standard input is raw 16-bit mono sound of this rate, as a microphone gives it.",
            help_behavior_hint=_NO_DEFAULT,
        ),
    ] = None,
    quantizers: shared.Quantizers = None,
    tokenizer: Annotated[
        str | None,
        arg(
            metavar="M",
            help="Audio tokenizer of a model that does not name its own.",
            help_behavior_hint=_NO_DEFAULT,
        ),
    ] = None,
    device: shared.Device = "auto",
    dtype: Annotated[shared.DtypeName, arg(help="Arithmetic of the language model.")] = "float32",
) -> int:
    """Write down what is said.

    Several inputs give one line each, with their names. A folder is searched for audio, or for .cat
    files if it holds none.
    """
    import torch

    from catok.cli.batch import Done, work_through
    from catok.cli.errors import UsageError
    from catok.cli.files import Job
    from catok.cli.models import pick_device
    from catok.cli.progress import Progress
    from catok.cli.recordings import audio_seconds
    from catok.cli.transcripts import output_kind, recording_ids, written
    from catok.io.files import replacing
    from catok.lm.asr import DecodingConfig, Recognizer

    if pcm is not None and inputs != ("-",):
        raise UsageError("--pcm is about standard input: give - as the only input")
    kind = output_kind(out)
    config = DecodingConfig(
        method=method,
        beam=beam,
        timestamps=timestamps or kind == ".srt",
        num_quantizers=quantizers,
    )
    todo = _recordings(inputs, live=pcm is not None)
    if kind == ".srt" and todo.many:
        raise UsageError("a .srt file is of one recording: name .txt or .jsonl for several")
    keys = recording_ids(inputs, todo.jobs) if kind == ".jsonl" else {}
    recognizer = Recognizer.from_pretrained(
        model, tokenizer=tokenizer, device=pick_device(device), dtype=getattr(torch, dtype)
    )
    recognizer.depth(config)
    results: list[str] = []

    def work(job: Job) -> Done:
        if pcm is not None and not isinstance(job.source, Path):
            blocks = _pcm_blocks(job.source, pcm, recognizer)
            transcript, seconds = _streamed(recognizer, blocks, config, progress)
        else:
            transcript, seconds = _transcribed(recognizer, job, config, stream, progress)
        key = keys.get(job.name, "")
        text = written(job.name, key, todo.many, transcript, seconds, kind)
        if out is None:
            print(text, end="", flush=True)
        results.append(text)
        return Done(seconds)

    with Progress(lambda: audio_seconds(todo) if pcm is None else 0.0) as progress:
        code = work_through(todo, work, progress, verb="transcribed")
    if out is not None:
        with replacing(out) as temporary:
            Path(temporary).write_text("".join(results), encoding="utf-8")
    return code


def _recordings(inputs: tuple[str, ...], live: bool) -> "Plan":
    """One job per recording, without targets."""
    import sys

    from catok.cli.errors import UsageError
    from catok.cli.files import READS_AUDIO, READS_CAT, Job, Plan, plan

    if live:
        if sys.stdin.isatty():
            raise UsageError("standard input is a terminal: use a pipe")
        return Plan([Job(sys.stdin.buffer, None)], many=False)
    if "-" in inputs or not inputs:
        return plan(inputs, UNUSED, READS_AUDIO, UNUSED)
    jobs: list[Job] = []
    left_out: Counter[str] = Counter()
    for name in dict.fromkeys(inputs):
        try:
            found = plan((name,), None, READS_AUDIO, UNUSED)
        except ValueError:
            found = plan((name,), None, READS_AUDIO | READS_CAT, UNUSED)
        jobs += [Job(job.source, None) for job in found.jobs]
        left_out += found.left_out
    many = len(inputs) > 1 or any(Path(name).is_dir() for name in inputs)
    return Plan(jobs, many, left_out)


def _transcribed(
    recognizer: "Recognizer",
    job: "Job",
    config: "DecodingConfig",
    stream: bool,
    progress: "Progress",
) -> tuple["Transcript", float]:
    """The transcript of one file, and its length in seconds."""
    from catok.audio import read_blocks
    from catok.io.cat_file import is_cat_file
    from catok.lm.asr import join_segments

    if stream and not is_cat_file(job.source):
        tokenizer = recognizer.tokenizer
        blocks = read_blocks(job.source, tokenizer.sample_rate, tokenizer.channels, BLOCK)
        return _streamed(recognizer, blocks, config, progress)
    segments = []
    for segment in recognizer.transcribe_file(job.source, config):
        segments.append(segment)
        progress.advance(segment.end - segment.start)
    return join_segments(segments), segments[-1].end


def _streamed(
    recognizer: "Recognizer",
    blocks: Iterator["Tensor"],
    config: "DecodingConfig",
    progress: "Progress",
) -> tuple["Transcript", float]:
    session, shown, samples = recognizer.stream(config), "", 0
    rate = recognizer.tokenizer.sample_rate
    for block in blocks:
        samples += block.shape[1]
        partial = session.push(block)
        if partial.text != shown:
            shown = partial.text
            progress.say(f"{samples / rate:.2f} s  {shown}")
        progress.advance(block.shape[1] / rate)
    return session.finish(), samples / rate


def _pcm_blocks(file: BinaryIO, rate: int, recognizer: "Recognizer") -> Iterator["Tensor"]:
    """Raw little-endian 16-bit sound as blocks `[C, n]` at the tokenizer's rate."""
    import numpy as np
    import torch

    from catok.audio import mix
    from catok.audio.resampling import check_rate, resample_blocks

    check_rate(rate)

    def blocks() -> Iterator["Tensor"]:
        while data := file.read(2 * max(1, round(rate * BLOCK))):
            samples = np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2")
            if len(samples):
                yield torch.from_numpy(samples.astype(np.float32) / 32768)[None]

    for block in resample_blocks(blocks(), 1, rate, recognizer.tokenizer.sample_rate):
        yield mix(block, recognizer.tokenizer.channels)

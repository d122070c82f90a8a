"""`catok asr`: what is said in recordings or `.cat` files."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

from tyro.conf import Positional, arg

from catok.cli import arguments as shared
from catok.cli.common import command

if TYPE_CHECKING:
    from torch import Tensor

    from catok.cli.batch import JobResult, Work
    from catok.cli.files import FileJob
    from catok.cli.progress import Progress
    from catok.lm.asr import DecodingConfig, Recognizer, Transcript

_NO_DEFAULT = ""
BLOCK = 0.16  # seconds of audio between two looks at the partial text


@command
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
            help="A file for all transcripts: .txt, .jsonl or, for one input, .srt. Without it, or "
            "for -: standard output.",
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
    shard: shared.Shard = None,
    workers: shared.Workers = 1,
    threads: int | None = None,
    overwrite: shared.Overwrite = False,
    skip_existing: shared.SkipExisting = False,
) -> int:
    """Write down what is said.

    Several inputs give one line each, with their names, as they are done; run again with the same
    OUT, the command goes on where it stopped. A folder is searched for audio, or for .cat files if
    it holds none.
    """
    from catok.cli import files, transcripts
    from catok.cli.batch import work_through
    from catok.cli.errors import UsageError
    from catok.cli.pipes import check_stdin
    from catok.cli.terminal import print_note
    from catok.lm.asr.decoding_config import DecodingConfig

    shared.check_count("--quantizers", quantizers)
    shared.check_count("--workers", workers)
    if pcm is not None and inputs != ("-",):
        raise UsageError("--pcm is about standard input: give - as the only input")
    shared.check_count("--pcm", pcm)
    files.Existing(overwrite, skip_existing)  # not both
    out = None if out == "-" else out
    kind = transcripts.output_kind(out)
    config = DecodingConfig(
        method=method,
        beam=beam,
        timestamps=timestamps or kind == ".srt",
        num_quantizers=quantizers,
    )
    if pcm is not None:
        check_stdin()
        todo = files.FilePlan([files.FileJob(sys.stdin.buffer, None)], many=False)
    else:
        todo = files.sources(inputs, files.READS_AUDIO, files.READS_CAT)
    transcripts.check_output(kind, todo.many)
    keys = transcripts.recording_ids(inputs, todo.jobs) if kind == ".jsonl" else {}
    todo = replace(todo, jobs=files.Shard.parse(shard).of(todo.jobs))
    if out is not None and not todo.many and skip_existing and Path(out).exists():
        print_note(f"catok: nothing to do, {out} exists already")
        return 0

    with ExitStack() as stack:
        write: Callable[[str], None] = print_transcript
        if out is not None and todo.many:
            output = transcripts.TranscriptFile(out, kind, anew=overwrite)
            todo = stack.enter_context(output).left(todo, keys)
            write = output.write
        elif out is not None:
            write = partial(transcripts.write_whole, out)
        if out is not None:
            todo = replace(todo, where=f"in {out}")
        task = AsrTask(model, tokenizer, device, dtype, config, stream, pcm, todo.many, kind, keys)

        def total() -> float:
            from catok.cli.recordings import audio_seconds

            return audio_seconds(todo) if pcm is None else 0.0

        return work_through(
            todo,
            task,
            total,
            verb="transcribed",
            workers=workers,
            threads=threads,
            take=lambda done: write(done.text),
        )


@dataclass(frozen=True)
class AsrTask:
    """The options of `catok asr`; `keys`: ids by name."""

    model: str
    tokenizer: str | None
    device: shared.DeviceName
    dtype: shared.DtypeName
    config: "DecodingConfig"
    stream: bool
    pcm: int | None
    many: bool
    kind: str
    keys: dict[str, str]

    def start(self, progress: "Progress") -> "Work":
        """Load the recogniser."""
        from catok.cli.batch import JobResult
        from catok.cli.loading import load_speech
        from catok.cli.transcripts import format_transcript
        from catok.lm.asr import Recognizer

        recognizer = load_speech(Recognizer, self.model, self.tokenizer, self.device, self.dtype)
        recognizer.resolve_num_quantizers(self.config)

        def work(job: "FileJob") -> "JobResult":
            if self.pcm is not None and not isinstance(job.source, Path):
                blocks = _pcm_blocks(job.source, self.pcm, recognizer)
                transcript, seconds = _streamed(recognizer, blocks, self.config, progress)
            else:
                transcript, seconds = _transcribed(
                    recognizer, job, self.config, self.stream, progress
                )
            key = self.keys.get(job.name, "")
            text = format_transcript(job.name, key, self.many, transcript, seconds, self.kind)
            return JobResult(seconds, text=text)

        return work


def print_transcript(text: str) -> None:
    """Lines on standard output."""
    from catok.cli.terminal import print_result

    print_result(text.removesuffix("\n"))


def _transcribed(
    recognizer: "Recognizer",
    job: "FileJob",
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
    from catok.cli.terminal import print_note

    session, shown, samples = recognizer.stream(config), "", 0
    rate = recognizer.tokenizer.sample_rate
    for block in blocks:
        samples += block.shape[1]
        partial = session.push(block)
        if partial.text != shown:
            shown = partial.text
            print_note(f"{samples / rate:.2f} s  {shown}")
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

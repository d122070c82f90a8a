"""`catok roundtrip`: what a recording sounds like after the tokenizer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tyro.conf import OmitArgPrefixes

from catok.cli import arguments as arg
from catok.cli.common import command
from catok.cli.options import BatchOptions, CodecOptions, MixOptions

if TYPE_CHECKING:
    from catok.cli.batch import JobResult, Work
    from catok.cli.files import FileJob
    from catok.cli.progress import Progress


@command
def run(
    inputs: arg.AudioInputs,
    out: arg.RequiredOutput,
    format: arg.Format = "auto",
    codec: OmitArgPrefixes[CodecOptions] = CodecOptions(),  # noqa: B008 - frozen
    mix: OmitArgPrefixes[MixOptions] = MixOptions(),  # noqa: B008
    batch: OmitArgPrefixes[BatchOptions] = BatchOptions(),  # noqa: B008
    threads: int | None = None,
) -> int:
    """Encode recordings and decode them again, to hear what is lost.

    Bitrate and speed are printed on stderr.
    """
    from catok.cli import files
    from catok.cli.batch import work_through

    arg.check_count("--quantizers", codec.quantizers)
    suffixes = files.audio_suffixes(format)
    task = RoundtripTask(codec, suffixes[0], mix.select, mix.downmix)
    todo = batch.plan(inputs, out, files.READS_AUDIO, suffixes)

    from catok.cli.recordings import audio_seconds

    return work_through(
        todo,
        task,
        lambda: audio_seconds(todo),
        verb="reconstructed",
        workers=batch.workers,
        threads=threads,
    )


@dataclass(frozen=True)
class RoundtripTask:
    """The options of `catok roundtrip`; `suffix`: the format on standard output."""

    codec: CodecOptions
    suffix: str
    select: tuple[int, ...] | None
    downmix: arg.DownmixName

    def start(self, progress: "Progress") -> "Work":
        """Load the model."""
        from catok.cli.batch import JobResult
        from catok.cli.pipes import writable
        from catok.cli.recordings import bitrate, conversion_note
        from catok.tokenizer.files import roundtrip_file

        tok = self.codec.load()

        def work(job: "FileJob") -> "JobResult":
            note = conversion_note(tok, job.source, job.name)
            with writable(job.target, self.suffix) as target:
                seconds = roundtrip_file(
                    tok,
                    job.source,
                    target,
                    num_quantizers=self.codec.quantizers,
                    downmix=self.downmix,
                    select=self.select,
                    report=progress.advance,
                )
            count = self.codec.quantizers or tok.num_quantizers
            return JobResult(seconds, note, bitrate(tok, count))

        return work

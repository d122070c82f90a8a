"""`catok roundtrip`: what a recording sounds like after the tokenizer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tyro.conf import OmitArgPrefixes

from catok.cli import arguments as arg
from catok.cli.common import command
from catok.cli.options import BatchOptions, CodecOptions, EncodingTask, MixOptions

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

    arg.check_count("--quantizers", codec.quantizers)
    suffixes = files.audio_suffixes(format)
    task = RoundtripTask(codec, mix, suffixes[0])
    todo = batch.plan(inputs, out, files.READS_AUDIO, suffixes)
    return batch.process_audio(todo, task, verb="reconstructed", threads=threads)


@dataclass(frozen=True)
class RoundtripTask(EncodingTask):
    """The options of `catok roundtrip`; `suffix`: the format on standard output."""

    suffix: str

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
                seconds = roundtrip_file(tok, job.source, target, **self.encoding(progress))
            count = self.codec.quantizers or tok.num_quantizers
            return JobResult(seconds, note, bitrate(tok, count))

        return work

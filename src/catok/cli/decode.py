"""`catok decode`: `.cat` to audio."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tyro.conf import OmitArgPrefixes

from catok.cli import arguments as arg
from catok.cli.common import command
from catok.cli.options import BatchOptions, CodecOptions

if TYPE_CHECKING:
    from catok.cli.batch import JobResult, Work
    from catok.cli.files import FileJob
    from catok.cli.progress import Progress


@command
def run(
    inputs: arg.CatInputs,
    out: arg.Output = None,
    format: arg.Format = "auto",
    codec: OmitArgPrefixes[CodecOptions] = CodecOptions(),  # noqa: B008 - frozen
    batch: OmitArgPrefixes[BatchOptions] = BatchOptions(),  # noqa: B008
    threads: int | None = None,
) -> int:
    """Decode .cat files into audio.

    Writes WAV, or what --format or the suffix of OUT says: .flac, .ogg, .opus, .mp3, .aiff or .w64.
    """
    from catok.cli import files
    from catok.cli.batch import work_through

    arg.check_count("--quantizers", codec.quantizers)
    suffixes = files.audio_suffixes(format)
    todo = batch.plan(inputs, out, files.READS_CAT, suffixes)

    from catok.cli.recordings import cat_seconds

    return work_through(
        todo,
        DecodeTask(codec, suffixes[0]),
        lambda: cat_seconds(todo),
        verb="decoded",
        workers=batch.workers,
        threads=threads,
    )


@dataclass(frozen=True)
class DecodeTask:
    """The options of `catok decode`; `suffix`: the format on standard output."""

    codec: CodecOptions
    suffix: str

    def start(self, progress: "Progress") -> "Work":
        """Load the decoder."""
        from catok.cli.batch import JobResult
        from catok.cli.pipes import writable
        from catok.cli.recordings import bitrate
        from catok.codes import Encoded
        from catok.tokenizer.files import decode_file

        tok = self.codec.load("decoder")

        def work(job: "FileJob") -> "JobResult":
            encoded = Encoded.load(job.source, self.codec.quantizers)
            with writable(job.target, self.suffix) as target:
                decode_file(tok, encoded, target, report=progress.advance)
            return JobResult(float(encoded.duration), detail=bitrate(tok, encoded.num_quantizers))

        return work

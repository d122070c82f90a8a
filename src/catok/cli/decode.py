"""`catok decode`: `.cat` to audio."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from catok.cli import arguments as arg
from catok.cli.common import command

if TYPE_CHECKING:
    from catok.cli.batch import Done, Work
    from catok.cli.files import Job
    from catok.cli.progress import Progress


@command
def run(
    inputs: arg.CatInputs,
    out: arg.Output = None,
    format: arg.Format = "auto",
    quantizers: arg.Quantizers = None,
    model: arg.Model = "tiny",
    device: arg.Device = "auto",
    dtype: arg.Dtype = "float32",
    overwrite: arg.Overwrite = False,
    skip_existing: arg.SkipExisting = False,
    shard: arg.Shard = None,
    workers: arg.Workers = 1,
    threads: int | None = None,
) -> int:
    """Decode .cat files into audio.

    Writes WAV, or what --format or the suffix of OUT says: .flac, .ogg, .opus, .mp3, .aiff or .w64.
    """
    from catok.cli import files
    from catok.cli.batch import work_through

    arg.check_count("--quantizers", quantizers)
    arg.check_count("--workers", workers)
    existing = files.Existing(overwrite, skip_existing)
    part = files.Shard.parse(shard)
    suffixes = files.audio_suffixes(format)
    todo = files.plan(inputs, out, files.READS_CAT, suffixes, existing, part)

    from catok.cli.recordings import cat_seconds

    task = DecodeTask(model, device, dtype, quantizers, suffixes[0])
    return work_through(
        todo, task, lambda: cat_seconds(todo), verb="decoded", workers=workers, threads=threads
    )


@dataclass(frozen=True)
class DecodeTask:
    """The options of `catok decode`; `suffix`: the format on standard output."""

    model: str
    device: arg.DeviceName
    dtype: arg.DtypeName
    quantizers: int | None
    suffix: str

    def start(self, progress: "Progress") -> "Work":
        """Load the decoder."""
        from catok.cli.batch import Done
        from catok.cli.loading import load_tokenizer
        from catok.cli.pipes import writable
        from catok.cli.recordings import bitrate
        from catok.codes import Encoded
        from catok.tokenizer.files import decode_file

        tok = load_tokenizer(self.model, self.device, self.dtype, part="decoder")

        def work(job: "Job") -> "Done":
            encoded = Encoded.load(job.source, self.quantizers)
            with writable(job.target, self.suffix) as target:
                decode_file(tok, encoded, target, report=progress.advance)
            return Done(float(encoded.duration), detail=bitrate(tok, encoded.num_quantizers))

        return work

"""`catok roundtrip`: what a recording sounds like after the tokenizer."""

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
    inputs: arg.AudioInputs,
    out: arg.RequiredOutput,
    format: arg.Format = "auto",
    quantizers: arg.Quantizers = None,
    model: arg.Model = "tiny",
    channels: arg.Channels = None,
    downmix: arg.Downmix = "itu",
    device: arg.Device = "auto",
    dtype: arg.Dtype = "float32",
    overwrite: arg.Overwrite = False,
    skip_existing: arg.SkipExisting = False,
    shard: arg.Shard = None,
    workers: arg.Workers = 1,
    threads: int | None = None,
) -> int:
    """Encode recordings and decode them again, to hear what is lost.

    Bitrate and speed are printed on stderr.
    """
    from catok.cli import files
    from catok.cli.batch import work_through

    arg.check_count("--quantizers", quantizers)
    arg.check_count("--workers", workers)
    selected = arg.parse_channels(channels)
    existing = files.Existing(overwrite, skip_existing)
    part = files.Shard.parse(shard)
    suffixes = files.audio_suffixes(format)
    todo = files.plan(inputs, out, files.READS_AUDIO, suffixes, existing, part)

    from catok.cli.recordings import audio_seconds

    task = RoundtripTask(model, device, dtype, quantizers, suffixes[0], selected, downmix)
    return work_through(
        todo,
        task,
        lambda: audio_seconds(todo),
        verb="reconstructed",
        workers=workers,
        threads=threads,
    )


@dataclass(frozen=True)
class RoundtripTask:
    """The options of `catok roundtrip`; `suffix`: the format on standard output."""

    model: str
    device: arg.DeviceName
    dtype: arg.DtypeName
    quantizers: int | None
    suffix: str
    select: tuple[int, ...] | None
    downmix: arg.DownmixName

    def start(self, progress: "Progress") -> "Work":
        """Load the model."""
        from catok.cli.batch import Done
        from catok.cli.loading import load_tokenizer
        from catok.cli.pipes import writable
        from catok.cli.recordings import bitrate, conversion_note
        from catok.tokenizer.files import roundtrip_file

        tok = load_tokenizer(self.model, self.device, self.dtype)

        def work(job: "Job") -> "Done":
            note = conversion_note(tok, job.source, job.name)
            with writable(job.target, self.suffix) as target:
                seconds = roundtrip_file(
                    tok,
                    job.source,
                    target,
                    num_quantizers=self.quantizers,
                    downmix=self.downmix,
                    select=self.select,
                    report=progress.advance,
                )
            depth = self.quantizers or tok.num_quantizers
            return Done(seconds, note, bitrate(tok, depth))

        return work

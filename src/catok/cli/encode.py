"""`catok encode`: audio to `.cat`."""

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
    out: arg.Output = None,
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
    """Encode audio into .cat files.

    Any sample rate and number of channels is converted to the model's. Folders are walked with all
    their subfolders, and OUT is laid out as they are.
    """
    from catok.cli import files
    from catok.cli.batch import work_through

    arg.check_count("--quantizers", quantizers)
    arg.check_count("--workers", workers)
    selected = arg.parse_channels(channels)
    existing = files.Existing(overwrite, skip_existing)
    part = files.Shard.parse(shard)
    todo = files.plan(inputs, out, files.READS_AUDIO, files.WRITES_CAT, existing, part)

    from catok.cli.recordings import audio_seconds

    task = EncodeTask(model, device, dtype, quantizers, selected, downmix)
    return work_through(
        todo, task, lambda: audio_seconds(todo), verb="encoded", workers=workers, threads=threads
    )


@dataclass(frozen=True)
class EncodeTask:
    """The options of `catok encode`."""

    model: str
    device: arg.DeviceName
    dtype: arg.DtypeName
    quantizers: int | None
    select: tuple[int, ...] | None
    downmix: arg.DownmixName

    def start(self, progress: "Progress") -> "Work":
        """Load the encoder."""
        from catok.cli.batch import Done
        from catok.cli.loading import load_tokenizer
        from catok.cli.pipes import writable
        from catok.cli.recordings import bitrate, conversion_note
        from catok.tokenizer.checks import check_quantizers
        from catok.tokenizer.files import encode_file

        tok = load_tokenizer(self.model, self.device, self.dtype, part="encoder")
        check_quantizers(self.quantizers, tok.num_quantizers)

        def work(job: "Job") -> "Done":
            note = conversion_note(tok, job.source, job.name)
            with writable(job.target) as target:
                encoded = encode_file(
                    tok,
                    job.source,
                    target,
                    num_quantizers=self.quantizers,
                    downmix=self.downmix,
                    select=self.select,
                    report=progress.advance,
                )
            return Done(float(encoded.duration), note, bitrate(tok, encoded.num_quantizers))

        return work

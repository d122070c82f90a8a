"""`catok encode`: audio to `.cat`."""

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
    out: arg.Output = None,
    codec: OmitArgPrefixes[CodecOptions] = CodecOptions(),  # noqa: B008 - frozen
    mix: OmitArgPrefixes[MixOptions] = MixOptions(),  # noqa: B008
    batch: OmitArgPrefixes[BatchOptions] = BatchOptions(),  # noqa: B008
    threads: int | None = None,
) -> int:
    """Encode audio into .cat files.

    Any sample rate and number of channels is converted to the model's. Folders are walked with all
    their subfolders, and OUT is laid out as they are.
    """
    from catok.cli import files

    arg.check_count("--quantizers", codec.quantizers)
    todo = batch.plan(inputs, out, files.READS_AUDIO, files.WRITES_CAT)
    return batch.process_audio(todo, EncodeTask(codec, mix), verb="encoded", threads=threads)


class EncodeTask(EncodingTask):
    """The options of `catok encode`, for worker processes."""

    def start(self, progress: "Progress") -> "Work":
        """Load the encoder."""
        from catok.cli.batch import JobResult
        from catok.cli.pipes import writable
        from catok.cli.recordings import bitrate, conversion_note
        from catok.tokenizer.files import encode_file

        tok = self.codec.load("encoder")

        def work(job: "FileJob") -> "JobResult":
            note = conversion_note(tok, job.source, job.name)
            with writable(job.target) as target:
                encoded = encode_file(tok, job.source, target, **self.encoding(progress))
            return JobResult(float(encoded.duration), note, bitrate(tok, encoded.num_quantizers))

        return work

"""Options that `catok encode`, `decode` and `roundtrip` share, and what follows from them."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from catok.cli import arguments as arg

if TYPE_CHECKING:
    from catok.cli.batch import BatchTask
    from catok.cli.files import FilePlan
    from catok.cli.progress import Progress
    from catok.tokenizer.interface import AudioTokenizer
    from catok.tokenizer.model import Part


@dataclass(frozen=True)
class CodecOptions:
    """The model, how many of its codebooks, and how it computes."""

    quantizers: arg.Quantizers = None
    model: arg.Model = "tiny"
    device: arg.Device = "auto"
    dtype: arg.Dtype = "float32"

    def load(self, part: "Part" = "all") -> "AudioTokenizer":
        """The model, or half of it. Raises ValueError on codebooks that it does not have."""
        from catok.cli.loading import load_tokenizer
        from catok.tokenizer.checks import check_quantizers

        tok = load_tokenizer(self.model, self.device, self.dtype, part=part)
        if part != "decoder":  # codes say themselves how many they have
            check_quantizers(self.quantizers, tok.num_quantizers)
        return tok


@dataclass(frozen=True)
class MixOptions:
    """Which channels of a recording are used, and how they are mixed."""

    channels: arg.Channels = None
    downmix: arg.Downmix = "itu"

    @property
    def select(self) -> tuple[int, ...] | None:
        """The channels, counted from 0. Raises ValueError on what are none."""
        return arg.parse_channels(self.channels)


@dataclass(frozen=True)
class BatchOptions:
    """What becomes of outputs that are there, and how the work is shared out."""

    overwrite: arg.Overwrite = False
    skip_existing: arg.SkipExisting = False
    shard: arg.Shard = None
    workers: arg.Workers = 1

    def plan(
        self,
        inputs: tuple[str, ...],
        out: str | None,
        reads: Collection[str],
        writes: tuple[str, ...],
    ) -> "FilePlan":
        """What is to be done (see `catok.cli.files`). Raises UsageError and ValueError."""
        from catok.cli import files

        arg.check_count("--workers", self.workers)
        existing = files.Existing(self.overwrite, self.skip_existing)
        part = files.Shard.parse(self.shard)
        return files.plan_jobs(inputs, out, reads, writes, existing, part)

    def process_audio(
        self, todo: "FilePlan", task: "BatchTask", *, verb: str, threads: int | None
    ) -> int:
        """Work through what was planned; returns the exit code."""
        from catok.cli.batch import work_through
        from catok.cli.recordings import audio_seconds

        seconds = partial(audio_seconds, todo)
        return work_through(todo, task, seconds, verb=verb, workers=self.workers, threads=threads)


@dataclass(frozen=True)
class EncodingTask:
    """What worker processes that encode are told: the model and the channels."""

    codec: CodecOptions
    mix: MixOptions

    def encoding(self, progress: "Progress") -> dict[str, Any]:
        """Arguments of `encode_file` and `roundtrip_file`."""
        return {
            "num_quantizers": self.codec.quantizers,
            "downmix": self.mix.downmix,
            "select": self.mix.select,
            "report": progress.advance,
        }

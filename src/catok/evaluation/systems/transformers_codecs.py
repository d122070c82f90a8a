"""Neural codecs of the library `transformers`: DAC, Encodec, Mimi."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from catok.codes import Encoded
from catok.evaluation.extras import import_extra, pretrained_loader
from catok.evaluation.systems.neural import weight_fingerprint
from catok.io.cat_file import bits_per_code
from catok.io.devices import as_device


class TransformersCodec(ABC):
    """Base of `NeuralCodec`s around a `transformers` model; the subclass does `codes` and `audio`.

    Audio is filled up with zeros to whole frames before it is encoded, so that F is
    ceil(T / frame_size) for every codec.
    """

    kind = ""  # of the subclass: its name in system names, its class in transformers
    model_class = ""

    def __init__(self, name: str, *, device: str | torch.device = "cpu") -> None:
        self.name = name
        self.device = as_device(device)
        self.model = load_codec(self.kind, self.model_class, name).to(self.device)
        config = self.model.config
        self.sample_rate: int = config.sampling_rate
        self.channels: int = getattr(config, "audio_channels", 1)
        self.codebook_size: int = config.codebook_size
        self.frame_size = self.samples_per_frame(config)
        self.frame_rate = self.sample_rate / self.frame_size
        self.codebook_counts = self.decodable_counts(config)
        self.weights: str | None = weight_fingerprint(self.model)

    def samples_per_frame(self, config: Any) -> int:
        """Samples per channel of one frame."""
        return config.hop_length

    @abstractmethod
    def decodable_counts(self, config: Any) -> tuple[int, ...]:
        """See `NeuralCodec.codebook_counts`."""

    @abstractmethod
    def codes(self, audio: Tensor) -> Tensor:
        """`[1, C, F * frame_size]` -> `[1, K, F]`, all codebooks."""

    @abstractmethod
    def audio(self, codes: Tensor) -> Tensor:
        """`[1, k, F]` -> `[1, C, n]`."""

    @torch.no_grad()
    def encode(self, audio: Tensor) -> Encoded:
        """See `NeuralCodec.encode`."""
        padded = torch.nn.functional.pad(audio, (0, -audio.shape[2] % self.frame_size))
        return Encoded(
            codes=self.codes(padded.to(self.device)).long().cpu(),
            sample_lengths=torch.tensor([audio.shape[2]]),
            sample_rate=self.sample_rate,
            channels=self.channels,
            frame_size=self.frame_size,
            codebook_size=self.codebook_size,
            model_id=self.name,
        )

    @torch.no_grad()
    def decode(self, encoded: Encoded, num_quantizers: int) -> Tensor:
        """See `NeuralCodec.decode`."""
        return self.audio(encoded.codes[:, :num_quantizers].to(self.device)).float().cpu()


def load_codec(kind: str, class_name: str, name: str) -> Any:
    """A pretrained model from a local folder (never touching the network) or a hub id, for use.

    Raises ValueError when `transformers` is not installed, when it cannot load the model, and when
    the folder is of another kind of model or lacks weights.
    """
    if not Path(name).is_dir() and (name.count("/") != 1 or name[0] in "./~"):
        raise ValueError(f"no folder {name!r} with {kind}: give a local folder or a hub id")
    with pretrained_loader(kind, name) as load, _quiet():
        config = load("AutoConfig")
        if config.model_type != kind:
            raise ValueError(f"it is a {config.model_type}: write {config.model_type}={name}")
        model, report = load(class_name, config=config, output_loading_info=True)
    missing = sorted(report["missing_keys"])
    if missing:
        raise ValueError(
            f"{name} lacks {len(missing)} weights of {kind} ({missing[0]}, ...): fetch it again"
        )
    return model.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar, and no warnings of what `load_codec` checks itself."""
    logging = import_extra("transformers.utils.logging")
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


class DacCodec(TransformersCodec):
    """DAC from a folder or hub id, such as descript/dac_24khz; any prefix decodes."""

    kind = "dac"
    model_class = "DacModel"

    def decodable_counts(self, config: Any) -> tuple[int, ...]:
        """Any number of codebooks: it was trained with quantizer dropout."""
        return tuple(range(1, config.n_codebooks + 1))

    def codes(self, audio: Tensor) -> Tensor:
        """See `TransformersCodec.codes`."""
        return self.model.encode(audio).audio_codes

    def audio(self, codes: Tensor) -> Tensor:
        """Some samples fewer than F frames where a stride is odd."""
        return self.model.decode(audio_codes=codes).audio_values[:, None]


class EncodecCodec(TransformersCodec):
    """Encodec from a folder or hub id, such as facebook/encodec_24khz.

    It has the bitrates that it was trained at (`target_bandwidths` of its config: 1.5, 3, 6, 12 and
    24 kbps). Raises ValueError for models that work in overlapping normalised chunks (48 kHz),
    whose scale factors this interface has no place for.
    """

    kind = "encodec"
    model_class = "EncodecModel"

    def decodable_counts(self, config: Any) -> tuple[int, ...]:
        """The numbers of codebooks of the bitrates that it was trained at."""
        if config.normalize or config.chunk_length_s is not None:
            raise ValueError(f"{self.name} codes in normalised chunks: use the 24 kHz model")
        rate = bits_per_code(config.codebook_size) * self.frame_rate / 1000
        counts = {round(band / rate, 3) for band in config.target_bandwidths}
        return tuple(sorted(int(c) for c in counts if 1 <= c <= config.num_quantizers))

    def codes(self, audio: Tensor) -> Tensor:
        """All codebooks, since those of a lower bitrate are a prefix of them."""
        most = self.model.config.target_bandwidths[-1]
        return self.model.encode(audio, bandwidth=most).audio_codes[0]

    def audio(self, codes: Tensor) -> Tensor:
        """See `TransformersCodec.audio`."""
        return self.model.decode(codes[None], [None]).audio_values


class MimiCodec(TransformersCodec):
    """Mimi from a folder or hub id, such as kyutai/mimi.

    The first codebook is the semantic one; Moshi uses eight ("8q", 1.1 kbps) of 32.
    """

    kind = "mimi"
    model_class = "MimiModel"

    def samples_per_frame(self, config: Any) -> int:
        """1920 for the published model."""
        return config.frame_size

    def decodable_counts(self, config: Any) -> tuple[int, ...]:
        """The semantic codebooks and any number of the others."""
        return tuple(range(config.num_semantic_quantizers, config.num_quantizers + 1))

    def codes(self, audio: Tensor) -> Tensor:
        """See `TransformersCodec.codes`."""
        return self.model.encode(audio).audio_codes

    def audio(self, codes: Tensor) -> Tensor:
        """See `TransformersCodec.audio`."""
        return self.model.decode(codes).audio_values

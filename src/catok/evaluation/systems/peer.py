"""What the neural codecs of the library `transformers` have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from catok.codes import Encoded
from catok.evaluation.extras import extra
from catok.evaluation.from_transformers import from_transformers
from catok.evaluation.systems.neural import fingerprint


class Peer(ABC):
    """Base of `Codec`s around a `transformers` model; the subclass does `codes` and `audio`.

    Audio is filled up with zeros to whole frames before it is encoded, so that F is
    ceil(T / frame_size) for every codec.
    """

    kind = ""  # of the subclass: its name in system names, its class in transformers
    model_class = ""

    def __init__(self, name: str, *, device: str | torch.device = "cpu") -> None:
        self.name = name
        self.model = load_peer(self.kind, self.model_class, name).to(device)
        self.device = torch.device(device)
        config = self.model.config
        self.sample_rate: int = config.sampling_rate
        self.channels: int = getattr(config, "audio_channels", 1)
        self.codebook_size: int = config.codebook_size
        self.frame_size = self.samples_per_frame(config)
        self.frame_rate = self.sample_rate / self.frame_size
        self.depths = self.decodable(config)
        self.weights: str | None = fingerprint(self.model)

    def samples_per_frame(self, config: Any) -> int:
        """Samples per channel of one frame."""
        return config.hop_length

    @abstractmethod
    def decodable(self, config: Any) -> tuple[int, ...]:
        """See `Codec.depths`."""

    @abstractmethod
    def codes(self, audio: Tensor) -> Tensor:
        """`[1, C, F * frame_size]` -> `[1, K, F]`, all codebooks."""

    @abstractmethod
    def audio(self, codes: Tensor) -> Tensor:
        """`[1, k, F]` -> `[1, C, n]`."""

    @torch.no_grad()
    def encode(self, audio: Tensor) -> Encoded:
        """See `Codec.encode`."""
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
    def decode(self, encoded: Encoded, depth: int) -> Tensor:
        """See `Codec.decode`."""
        return self.audio(encoded.codes[:, :depth].to(self.device)).float().cpu()


def load_peer(kind: str, class_name: str, name: str) -> Any:
    """A pretrained model from a local folder (never touching the network) or a hub id, for use.

    Raises ValueError when `transformers` is not installed, when it cannot load the model, and when
    the folder is of another kind of model or lacks weights.
    """
    if not Path(name).is_dir() and (name.count("/") != 1 or name[0] in "./~"):
        raise ValueError(f"no folder {name!r} with {kind}: give a local folder or a hub id")
    with from_transformers(kind, name) as load, _quiet():
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
    """No progress bar, and no warnings of what `load_peer` checks itself."""
    logging = extra("transformers.utils.logging")
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()

"""The configuration of a whole tokenizer, and its strict reading from plain dictionaries."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from typing import Annotated, Any

from catok.io.config import read_config
from catok.modules.patch import PatchConfig
from catok.modules.quantizer import QuantizerConfig, read_quantizer_config
from catok.modules.residual_quantizer import ResidualQuantizerConfig
from catok.modules.stack import StageConfig
from catok.modules.transformer import TransformerConfig

MAX_SAMPLE_RATE, MAX_CHANNELS, MAX_STAGES = 1_000_000, 64, 64
PRESETS = resources.files("catok.tokenizer") / "presets"


@dataclass(frozen=True)
class TokenizerConfig:
    """Everything that decides a tokenizer's weights and numerics.

    The encoder folds `channels` interleaved waveforms (sample_rate x channels steps per second)
    down to one frame of `quantizer.input_dim` latents; the decoder, by default its mirror image,
    unfolds it back. `always_project`: see `TransformerStage`.
    """

    encoder: tuple[StageConfig, ...]
    decoder: tuple[StageConfig, ...] = ()
    quantizer: Annotated[QuantizerConfig, read_quantizer_config] = field(
        default_factory=ResidualQuantizerConfig
    )
    sample_rate: int = 24_000
    channels: int = 1
    always_project: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoder", tuple(self.encoder))
        object.__setattr__(self, "decoder", tuple(self.decoder) or mirror(self.encoder))
        if not 1 <= self.sample_rate <= MAX_SAMPLE_RATE or not 1 <= self.channels <= MAX_CHANNELS:
            raise ValueError(
                f"sample_rate must be at least 1 and at most {MAX_SAMPLE_RATE}, channels at least "
                f"1 and at most {MAX_CHANNELS}, got {self.sample_rate} and {self.channels}"
            )
        if max(len(self.encoder), len(self.decoder)) > MAX_STAGES:
            raise ValueError(f"encoder and decoder have at most {MAX_STAGES} stages each")
        if _patch_product(self.encoder) != _patch_product(self.decoder):
            raise ValueError(
                f"the decoder unfolds {_patch_product(self.decoder)} steps per frame, the encoder "
                f"folds {_patch_product(self.encoder)}: make their patches agree"
            )
        if self.frame_steps % self.channels:
            raise ValueError(
                f"a frame of {self.frame_steps} interleaved steps does not hold whole "
                f"samples of {self.channels} channels"
            )
        latent = self.quantizer.input_dim
        _check_chain("encoder", self.encoder, 1, latent, unfold=False)
        _check_chain("decoder", self.decoder, latent, 1, unfold=True)

    @property
    def frame_steps(self) -> int:
        """Interleaved waveform steps per frame."""
        return _patch_product(self.encoder)

    @property
    def frame_size(self) -> int:
        """Samples per channel per frame."""
        return self.frame_steps // self.channels

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.frame_size

    @staticmethod
    def presets() -> list[str]:
        """The names that `preset` knows."""
        return sorted(file.name.removesuffix(".json") for file in PRESETS.iterdir())

    @classmethod
    def preset(cls, name: str) -> "TokenizerConfig":
        """A named configuration: "24khz", "nano" and "v2" are the released models, "tiny" is what
        the embedded default began as. They stand in `presets/NAME.json`. Raises ValueError on
        other names.
        """
        if name not in cls.presets():
            raise ValueError(f"no preset called {name!r}; known are {cls.presets()}")
        return cls.from_dict(json.loads((PRESETS / f"{name}.json").read_text()))

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, for JSON; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TokenizerConfig":
        """Read `to_dict`'s output. Raises ValueError on unknown, missing or ill-typed keys."""
        return read_config(cls, data, "tokenizer")


def mirror(encoder: Sequence[StageConfig]) -> tuple[StageConfig, ...]:
    """The decoder of an encoder: the same stages backwards, inputs and outputs swapped."""
    return tuple(
        replace(stage, input_dim=stage.output_dim, output_dim=stage.input_dim)
        if isinstance(stage, TransformerConfig)
        else stage
        for stage in reversed(encoder)
    )


def _patch_product(stages: Sequence[StageConfig]) -> int:
    return math.prod(stage.size for stage in stages if isinstance(stage, PatchConfig))


def _check_chain(
    side: str, stages: Sequence[StageConfig], dim: int, end: int, *, unfold: bool
) -> None:
    """Follow the channel count through the stages; ValueError where two do not fit."""
    for index, stage in enumerate(stages):
        where = f"{side} stage {index}"
        if isinstance(stage, TransformerConfig):
            if stage.input_dim != dim:
                raise ValueError(f"{where} takes {stage.input_dim} channels but is given {dim}")
            dim = stage.output_dim
        elif not unfold:
            dim = dim * stage.size
        elif dim % stage.size:
            raise ValueError(f"{where} cannot unfold {dim} channels by {stage.size}")
        else:
            dim = dim // stage.size
    if dim != end:
        raise ValueError(f"the {side} ends with {dim} channels where {end} are needed")

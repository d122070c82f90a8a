"""What `CatokModel` gives, as tuples with names."""

from dataclasses import dataclass

from torch import Tensor
from transformers.utils.generic import ModelOutput


@dataclass
class CatokEncoderOutput(ModelOutput):
    """`audio_codes` `[B, K, F]` int64, `latents` `[B, D, F]`, `audio_codes_mask` `[B, F]` bool."""

    audio_codes: Tensor | None = None
    latents: Tensor | None = None
    audio_codes_mask: Tensor | None = None


@dataclass
class CatokDecoderOutput(ModelOutput):
    """`audio_values` `[B, C, T]` float32 and `audio_mask` `[B, T]` bool."""

    audio_values: Tensor | None = None
    audio_mask: Tensor | None = None


@dataclass
class CatokOutput(ModelOutput):
    """What both directions give, of `forward`."""

    audio_values: Tensor | None = None
    audio_codes: Tensor | None = None
    latents: Tensor | None = None
    audio_codes_mask: Tensor | None = None

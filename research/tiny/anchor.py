"""A loss that keeps the codes of a codec which is trained on near those it had before.

    catok train research/tiny/spectrum.toml --threads 1 --data DATA --out runs/spectrum

Where encoder, quantizer and decoder learn together, nothing holds the latents in place, although
many spaces of latents serve equally well. This loss is the squared distance of the quantized
latents from those of `tiny`, with as many codebooks as each row was given, relative to their power.
It is 0 at the start, costs an encoder's pass without gradients, and lets codes change where that
pays. Codebooks still move: `research/recode.py` tells language models which code became which.
"""

import torch
from torch import Tensor

from catok import CausalAudioTokenizer
from catok.training.codec.losses.base import LossInputs


class Anchor:
    """The distance from the embedded `tiny` (as it is when training begins)."""

    def __init__(self, sample_rate: int) -> None:
        self.like = CausalAudioTokenizer.from_pretrained("tiny").float().requires_grad_(False)
        if self.like.sample_rate != sample_rate:
            raise ValueError(f"tiny has {self.like.sample_rate} Hz, the codec {sample_rate}")

    def __call__(self, inputs: LossInputs) -> Tensor:
        """Of a batch."""
        model = self.like
        prefixes = (inputs.quantizer_share * model.num_quantizers).round().long()
        with torch.no_grad():
            latents = model.encoder(model.interleave(inputs.target))
            goal = model.quantizer(latents, prefixes).latents
        off = (inputs.quantized.latents - goal).square().mean()
        return off / goal.var()

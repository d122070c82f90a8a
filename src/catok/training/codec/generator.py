"""The generator's side of training as one module: the codec, the semantic head, their losses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from catok.tokenizer.model import CodecModel, Reconstruction
from catok.training.codec.data import Batch
from catok.training.codec.losses.base import Loss, LossInputs, build_outside, is_outside
from catok.training.codec.semantic.head import SemanticHead, SemanticOutput
from catok.training.codec.train_config import WEIGHTS, CodecTrainConfig


@dataclass(frozen=True)
class GeneratorOutput:
    """A pass over a batch: the reconstruction, `mask` `[B, F]` of the frames that exist, and the
    losses by name (those with a weight).
    """

    reconstruction: Reconstruction
    mask: Tensor
    losses: dict[str, Tensor]

    def detached(self) -> "GeneratorOutput":
        """Without the graph and the losses."""
        audio = self.reconstruction.audio.detach()
        return replace(self, reconstruction=replace(self.reconstruction, audio=audio), losses={})


class Generator(nn.Module):
    """Codec and, with a `semantic` recipe, the language model that reads its latents.

    One forward pass gives all losses, so that it can be wrapped for several processes.
    """

    def __init__(
        self, codec: CodecModel, semantic: SemanticHead | None, config: CodecTrainConfig
    ) -> None:
        super().__init__()
        self.codec = codec
        self.semantic = semantic
        self.weights = config.weights
        self.losses = build_losses(config, codec.sample_rate)

    def forward(
        self,
        batch: Batch,
        prefixes: Tensor,
        choices: Mapping[str, Any],
        text_tokens: float,
    ) -> GeneratorOutput:
        """`batch` on the module's device; `prefixes` `[B]` codebooks per row; `choices`: what
        `draw` gave. The text's loss is divided by `text_tokens`: how many of them are in
        this batch, or, with several micro-batches or processes, their mean number over those.
        """
        frames = self._frames(batch)
        count = batch.audio.shape[2] // self.codec.frame_size
        mask = (torch.arange(count) < frames[:, None]).to(batch.audio.device)
        result = self.codec(batch.audio, prefixes, mask)
        inputs = LossInputs(
            result.audio,
            batch.audio,
            batch.band_edges,
            prefixes / self.codec.num_quantizers,
            result.quantized,
        )
        losses = dict(result.quantized.losses)
        self._check_weights(losses)
        losses = {name: loss for name, loss in losses.items() if self.weights[name]}
        with torch.autocast(batch.audio.device.type, enabled=False):
            for name, loss in self.losses.items():
                if self.weights[name]:
                    losses[name] = loss.compute(replace(inputs, choice=choices[name]))
        if self.semantic is not None and self.weights["semantic"]:
            read = self.semantic(result.quantized.latents, frames, batch.texts, batch.tasks)
            losses["semantic"] = read.token_loss_sum / (text_tokens or 1.0)
        return GeneratorOutput(result, mask, losses)

    def draw(self, rng: torch.Generator) -> dict[str, Any]:
        """The random choices of every loss for one step, such as its STFT windows."""
        return {name: loss.draw(rng) for name, loss in self.losses.items()}

    def reconstruct(self, audio: Tensor, num_quantizers: int) -> Reconstruction:
        """The codec's pass alone, also where the weights are sharded."""
        return self.codec(audio, num_quantizers)

    def read(self, batch: Batch) -> SemanticOutput:
        """The semantic head's pass over a batch, of which `audio` is on the module's device."""
        assert self.semantic is not None
        latents = self.codec(batch.audio).quantized.latents
        return self.semantic(latents, self._frames(batch), batch.texts, batch.tasks)

    def _frames(self, batch: Batch) -> Tensor:
        return (batch.lengths + self.codec.frame_size - 1) // self.codec.frame_size

    def _check_weights(self, quantizer_losses: Iterable[str]) -> None:
        """Raise ValueError where a quantizer's loss has no weight, or a weight no loss."""
        known = {*self.losses, *quantizer_losses, *WEIGHTS}
        if unknown := sorted(set(self.weights) - known):
            raise ValueError(
                f"weights names {unknown}, which are no losses here: there are {sorted(known)} "
                "and python=module:Class"
            )
        if lacking := sorted(set(quantizer_losses) - set(self.weights)):
            raise ValueError(f"the quantizer's losses {lacking} need weights in the recipe")


def build_losses(config: CodecTrainConfig, sample_rate: int) -> dict[str, Loss]:
    """The losses of a reconstruction by name: those with settings, then those from outside.

    Raises ValueError where one from outside cannot be built.
    """
    losses = {name: loss.build(sample_rate) for name, loss in config.loss_configs.items()}
    outside = filter(is_outside, config.weights)
    return losses | {name: build_outside(name, sample_rate) for name in outside}


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Sum of losses by the weights of the same names.

    Raises ValueError on a loss without a weight, and when there are no losses.
    """
    if lacking := sorted(set(losses) - set(weights)):
        raise ValueError(f"losses {lacking} have no weight; there are {sorted(weights)}")
    if not losses:
        raise ValueError("nothing to learn from in this stage: its losses all have weight 0")
    return torch.stack([weights[name] * losses[name] for name in weights if name in losses]).sum()

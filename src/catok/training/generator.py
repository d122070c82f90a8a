"""The generator's side of training as one module: the codec, the semantic head, their losses."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from catok.tokenizer.model import CodecModel, Reconstruction
from catok.training.config import TrainConfig
from catok.training.data import Batch
from catok.training.losses.mel import MelLoss
from catok.training.losses.waveform import waveform_loss
from catok.training.semantic.head import SemanticHead


@dataclass(frozen=True)
class Generated:
    """A pass over a batch: the reconstruction, `mask` `[B, F]` of the frames that exist, and the
    losses by name (those with a weight).
    """

    reconstruction: Reconstruction
    mask: Tensor
    losses: dict[str, Tensor]

    def detached(self) -> "Generated":
        """Without the graph and the losses."""
        audio = self.reconstruction.audio.detach()
        return replace(self, reconstruction=replace(self.reconstruction, audio=audio), losses={})


class Generator(nn.Module):
    """Codec and, with a `semantic` recipe, the language model that reads its latents.

    One forward pass gives all losses, so that it can be wrapped for several processes.
    """

    def __init__(
        self, codec: CodecModel, semantic: SemanticHead | None, config: TrainConfig
    ) -> None:
        super().__init__()
        self.codec = codec
        self.semantic = semantic
        self.mel = MelLoss(codec.sample_rate, config.mel)
        self.config = config

    def forward(
        self, batch: Batch, prefixes: Tensor, scales: list[int], text_tokens: float
    ) -> Generated:
        """`batch` on the module's device; `prefixes` `[B]` codebooks per row; `scales` of the mel
        loss. The text's loss is divided by `text_tokens`: how many of them are in this batch, or,
        with several micro-batches or processes, their mean number over those.
        """
        weights = self.config.weights
        frames = (batch.lengths + self.codec.frame_size - 1) // self.codec.frame_size
        count = batch.audio.shape[2] // self.codec.frame_size
        mask = (torch.arange(count) < frames[:, None]).to(batch.audio.device)
        result = self.codec(batch.audio, prefixes, mask)
        losses = {
            "mel": self.mel(result.audio, batch.audio, batch.band_edges, scales),
            "codebook": result.quantized.codebook_loss,
            "commitment": result.quantized.commitment_loss,
        }
        if weights.waveform:
            losses["waveform"] = waveform_loss(result.audio, batch.audio, self.config.waveform)
        if self.semantic is not None and weights.semantic:
            read = self.semantic(result.quantized.latents, frames, batch.texts, batch.tasks)
            losses["semantic"] = read.token_loss_sum / max(text_tokens, 1.0)
        return Generated(result, mask, losses)


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Sum of losses by the weights of the same names; ValueError on a loss without a weight."""
    unknown = sorted(set(losses) - set(weights))
    if unknown:
        raise ValueError(f"losses {unknown} have no weight; there are {sorted(weights)}")
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()

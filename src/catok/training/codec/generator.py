"""The generator's side of training as one module: the codec, the semantic head, their losses."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from catok.tokenizer.model import CodecModel, Reconstruction
from catok.training.codec.config import TrainConfig
from catok.training.codec.data import Batch
from catok.training.codec.losses.compressed_spectrum import CompressedSpectrumLoss
from catok.training.codec.losses.mel import MelLoss
from catok.training.codec.losses.waveform import waveform_loss
from catok.training.codec.losses.weighted_waveform import WeightedWaveformLoss
from catok.training.codec.semantic.head import SemanticHead, SemanticOutput


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
        self.compressed_spectrum = CompressedSpectrumLoss(
            codec.sample_rate, config.compressed_spectrum
        )
        self.weighted_waveform = WeightedWaveformLoss(codec.sample_rate, config.weighted_waveform)
        self.config = config

    def forward(
        self,
        batch: Batch,
        prefixes: Tensor,
        scales: Mapping[str, list[int]],
        text_tokens: float,
    ) -> Generated:
        """`batch` on the module's device; `prefixes` `[B]` codebooks per row; `scales`: what
        `draw_scales` gave. The text's loss is divided by `text_tokens`: how many of them are in
        this batch, or, with several micro-batches or processes, their mean number over those.
        """
        weights = self.config.weights
        frames = self._frames(batch)
        count = batch.audio.shape[2] // self.codec.frame_size
        mask = (torch.arange(count) < frames[:, None]).to(batch.audio.device)
        result = self.codec(batch.audio, prefixes, mask)
        with torch.autocast(batch.audio.device.type, enabled=False):
            losses = self._reconstruction_losses(batch, result, prefixes, scales)
        if self.semantic is not None and weights.semantic:
            read = self.semantic(result.quantized.latents, frames, batch.texts, batch.tasks)
            losses["semantic"] = read.token_loss_sum / (text_tokens or 1.0)
        return Generated(result, mask, losses)

    def draw_scales(self, generator: torch.Generator) -> dict[str, list[int]]:
        """Which STFT windows the losses of one step look through, by loss."""
        return {
            "mel": self.mel.draw_scales(generator),
            "compressed_spectrum": self.compressed_spectrum.draw_windows(generator),
        }

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

    def _reconstruction_losses(
        self,
        batch: Batch,
        result: Reconstruction,
        prefixes: Tensor,
        scales: Mapping[str, list[int]],
    ) -> dict[str, Tensor]:
        weights, losses = self.config.weights, {}
        pair = result.audio, batch.audio
        depth = prefixes / self.codec.num_quantizers
        if weights.mel:
            losses["mel"] = self.mel(*pair, batch.band_edges, scales["mel"])
        for name, loss in result.quantized.losses.items():
            if getattr(weights, name, True):
                losses[name] = loss
        if weights.waveform:
            losses["waveform"] = waveform_loss(*pair, self.config.waveform, depth)
        if weights.compressed_spectrum:
            losses["compressed_spectrum"] = self.compressed_spectrum(
                *pair, batch.band_edges, depth, scales["compressed_spectrum"]
            )
        if weights.weighted_waveform:
            losses["weighted_waveform"] = self.weighted_waveform(*pair, batch.band_edges, depth)
        return losses


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Sum of losses by the weights of the same names.

    Raises ValueError on a loss without a weight, and when there are no losses.
    """
    unknown = sorted(set(losses) - set(weights))
    if unknown:
        raise ValueError(f"losses {unknown} have no weight; there are {sorted(weights)}")
    if not losses:
        raise ValueError("nothing to learn from in this stage: its losses all have weight 0")
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()

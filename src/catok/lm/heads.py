"""From a depth position to its channel's logits. Source: `docs/spec/tts-layout.md` (c) 5."""

import torch.nn.functional as F
from torch import Tensor, nn

from catok.lm.config import TokenLMConfig
from catok.lm.layers import RMSNorm, SwiGLU

EPS = 1e-6  # of the norms before the heads, whatever the configuration says


class ChannelHead(nn.Module):
    """Adapter from depth to temporal width, RMSNorm in float32, linear map to `size` logits."""

    def __init__(self, config: TokenLMConfig, size: int) -> None:
        super().__init__()
        hidden = config.additional_mlp_ffn_hidden_size
        self.adapter = SwiGLU(config.local_hidden_size, hidden, config.width)
        self.norm = RMSNorm(config.width, EPS)
        self.linear = nn.Linear(config.width, size, bias=False)

    def forward(self, depth_output: Tensor) -> Tensor:
        """`[..., d]` -> `[..., size]` float32, whatever the dtype of the weights."""
        normed = self.norm(self.adapter(depth_output).float())
        return F.linear(normed.to(self.linear.weight.dtype), self.linear.weight).float()


class ChannelHeads(nn.Module):
    """One head per channel: vocab_size logits for text, codes and the pad code for audio.

    Without `audio_heads`, the head of the text alone.
    """

    def __init__(self, config: TokenLMConfig) -> None:
        super().__init__()
        codebooks = config.n_vq if config.audio_heads else 0
        sizes = [config.vocab_size] + [config.audio_vocab_size + 1] * codebooks
        self.channels = nn.ModuleList(ChannelHead(config, size) for size in sizes)

    def forward(self, channel: int, depth_output: Tensor) -> Tensor:
        """Logits of one channel, the pad code not masked.

        Raises ValueError for a codebook's in a model without audio heads.
        """
        if channel >= len(self.channels):
            raise ValueError("this model has no audio heads: it recognises speech and cannot speak")
        return self.channels[channel](depth_output)

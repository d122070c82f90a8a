"""From a depth position to its channel's logits. Law: `spec/tts-layout.md` (c) 5."""

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
    """One head per channel: vocab_size logits for text, codes and the pad code for audio."""

    def __init__(self, config: TokenLMConfig) -> None:
        super().__init__()
        sizes = [config.vocab_size] + [config.audio_vocab_size + 1] * config.n_vq
        self.channels = nn.ModuleList(ChannelHead(config, size) for size in sizes)

    def forward(self, channel: int, depth_output: Tensor) -> Tensor:
        """Logits of one channel, the pad code not masked."""
        return self.channels[channel](depth_output)

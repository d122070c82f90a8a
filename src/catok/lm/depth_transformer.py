"""The transformer inside a frame: text, then codebook after codebook.

Source: `docs/spec/tts-layout.md` (c) 4.
Qwen3 blocks without any positional encoding; causal; nothing is carried from frame to frame.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from catok.lm.config import TokenLMConfig
from catok.lm.layers import RMSNorm, SwiGLU


@dataclass(frozen=True)
class DepthState:
    """Keys and values per layer, `[N, H, P, head_dim]`, of the channels already gone through."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]


class DepthAttention(nn.Module):
    """Grouped-query attention with RMSNorm of each head's queries and keys."""

    def __init__(self, config: TokenLMConfig) -> None:
        super().__init__()
        heads = config.language_config
        width, self.head_dim = config.local_hidden_size, heads.head_dim
        queries = heads.num_attention_heads * heads.head_dim
        shared = heads.num_key_value_heads * heads.head_dim
        self.q_proj = nn.Linear(width, queries, bias=False)
        self.k_proj = nn.Linear(width, shared, bias=False)
        self.v_proj = nn.Linear(width, shared, bias=False)
        self.o_proj = nn.Linear(queries, width, bias=False)
        self.q_norm = RMSNorm(heads.head_dim, heads.rms_norm_eps)
        self.k_norm = RMSNorm(heads.head_dim, heads.rms_norm_eps)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None) -> tuple[Tensor, ...]:
        """`[N, S, d]` -> `[N, S, d]`, all keys and all values; the past comes before x."""
        shape = (*x.shape[:2], -1, self.head_dim)
        queries = self.q_norm(self.q_proj(x).view(shape)).transpose(1, 2)
        keys = self.k_norm(self.k_proj(x).view(shape)).transpose(1, 2)
        values = self.v_proj(x).view(shape).transpose(1, 2)
        if past is not None:
            keys = torch.cat([past[0], keys], dim=2)
            values = torch.cat([past[1], values], dim=2)
        new, total = queries.shape[2], keys.shape[2]
        seen = None
        if 1 < new < total:
            seen = torch.ones(new, total, dtype=torch.bool, device=x.device).tril(total - new)
        mixed = F.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=seen,
            is_causal=seen is None and new > 1,
            enable_gqa=keys.shape[1] != queries.shape[1],
        )
        return self.o_proj(mixed.transpose(1, 2).flatten(2)), keys, values


class DepthBlock(nn.Module):
    """Pre-norm attention and SwiGLU, both with residuals."""

    def __init__(self, config: TokenLMConfig) -> None:
        super().__init__()
        width, eps = config.local_hidden_size, config.language_config.rms_norm_eps
        self.self_attn = DepthAttention(config)
        self.mlp = SwiGLU(width, config.local_ffn_hidden_size, width)
        self.input_layernorm = RMSNorm(width, eps)
        self.post_attention_layernorm = RMSNorm(width, eps)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None) -> tuple[Tensor, ...]:
        """As `DepthAttention.forward`."""
        mixed, keys, values = self.self_attn(self.input_layernorm(x), past)
        x = x + mixed
        return x + self.mlp(self.post_attention_layernorm(x)), keys, values


class DepthTransformer(nn.Module):
    """`[N, S, d]` -> `[N, S, d]` over N frames; all channels at once or a few after a state."""

    def __init__(self, config: TokenLMConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DepthBlock(config) for _ in range(config.local_num_layers))
        self.norm = RMSNorm(config.local_hidden_size, config.language_config.rms_norm_eps)

    def forward(self, x: Tensor, state: DepthState | None = None) -> tuple[Tensor, DepthState]:
        """The output after the final norm, and the state with x in it; `state` stays valid."""
        keys: list[Tensor] = []
        values: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            past = None if state is None else (state.keys[index], state.values[index])
            x, key, value = layer(x, past)
            keys.append(key)
            values.append(value)
        return self.norm(x), DepthState(tuple(keys), tuple(values))

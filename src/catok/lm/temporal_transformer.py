"""The transformer along time: stock Qwen3 blocks from transformers, and its state as a value.

Source: `docs/spec/tts-layout.md` (c) 2. The import is late: transformers takes seconds, and only
this model needs it.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from catok.extras import install
from catok.lm.config import LanguageConfig
from catok.lm.positions import PositionState, count_up
from catok.modules.transformers_cache import cache_argument
from catok.modules.transformers_weights import restore_rotary


@dataclass(frozen=True)
class TemporalState:
    """What the transformer remembers of each row: a step returns a new one, the old stays valid.

    `mask` `[B, P]` bool: which past positions are real. `cache`: transformers' own, keys and values
    `[B, H, P, head_dim]` per layer, never changed once it is in here. `position_state`: how far
    the rows are where their positions do not simply count up.
    """

    mask: Tensor
    cache: Any
    position_state: PositionState | None = None

    @property
    def length(self) -> int:
        """P, padding included."""
        return self.mask.shape[1]

    def fork(self) -> Any:
        """A cache that can grow without changing this one; past keys and values are shared."""
        twin = copy.copy(self.cache)
        twin.layers = [copy.copy(layer) for layer in self.cache.layers]
        return twin

    def select(self, rows: Tensor) -> "TemporalState":
        """The state of some rows only; `rows` int64 `[A]`."""
        cache = self.fork()
        for layer in cache.layers:
            layer.keys, layer.values = layer.keys[rows], layer.values[rows]
        position_state = self.position_state and self.position_state.select(rows)
        return replace(self, mask=self.mask[rows], cache=cache, position_state=position_state)

    def trimmed(self) -> "TemporalState":
        """Without the first positions that are padding in every row."""
        first = int(self.mask.any(dim=0).to(torch.uint8).argmax())
        if first == 0:
            return self
        cache = self.fork()
        for layer in cache.layers:
            layer.keys = layer.keys[:, :, first:].contiguous()
            layer.values = layer.values[:, :, first:].contiguous()
        return replace(self, mask=self.mask[:, first:], cache=cache)

    @staticmethod
    def join(states: Sequence["TemporalState"]) -> "TemporalState":
        """The rows of several states in one, padded on the left: each goes on as it would alone."""
        if len(states) == 1:
            return states[0]
        longest = max(state.length for state in states)
        missing = [longest - state.length for state in states]
        cache = states[0].fork()
        for number, layer in enumerate(cache.layers):
            for name in ("keys", "values"):
                parts = [getattr(state.cache.layers[number], name) for state in states]
                padded = [pad(each, (0, 0, n, 0)) for each, n in zip(parts, missing, strict=True)]
                setattr(layer, name, torch.cat(padded))
        mask = torch.cat([pad(s.mask, (n, 0)) for s, n in zip(states, missing, strict=True)])
        positions = [s.position_state for s in states if s.position_state is not None]
        return TemporalState(mask, cache, PositionState.join(positions) if positions else None)


class TemporalTransformer(nn.Module):
    """`[B, T, D]` embeddings -> `[B, T, D]` hidden states after the final norm; causal.

    Raises ValueError when transformers is not installed.
    """

    qwen3: nn.Module

    def __init__(self, config: LanguageConfig, initializer_range: float = 0.02) -> None:
        super().__init__()
        try:
            from transformers import AutoModel, DynamicCache, Qwen3Config
        except ImportError as error:
            raise ValueError(
                f"the language model needs transformers ({error}): {install('tts')}"
            ) from error
        self._new_cache = DynamicCache
        settings = Qwen3Config(
            vocab_size=1,  # rows are embedded outside: the table below is thrown away
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            num_key_value_heads=config.num_key_value_heads,
            head_dim=config.head_dim,
            rms_norm_eps=config.rms_norm_eps,
            max_position_embeddings=config.max_position_embeddings,
            rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
            initializer_range=initializer_range,
        )
        self.qwen3 = AutoModel.from_config(settings, attn_implementation="sdpa")
        self.qwen3.embed_tokens = None  # type: ignore[assignment]

    def forward(
        self,
        embeddings: Tensor,
        mask: Tensor | None = None,
        state: TemporalState | None = None,
        keep_state: bool = True,
        position_ids: Tensor | None = None,
    ) -> tuple[Tensor, TemporalState | None]:
        """Hidden states `[B, T, D]` and the state after them (None unless `keep_state`).

        `mask` `[B, T]` bool: real positions, None for all. Without `position_ids` `[B, T]` a
        position counts the real ones before it, so that padding on the left changes nothing; hidden
        states of padding mean nothing.
        """
        if mask is None:
            mask = torch.ones(embeddings.shape[:2], dtype=torch.bool, device=embeddings.device)
        if mask.dtype != torch.bool or mask.shape != embeddings.shape[:2]:
            raise ValueError(
                f"mask must be bool of shape {list(embeddings.shape[:2])}, got {mask.dtype} "
                f"{list(mask.shape)}"
            )
        whole = mask if state is None else torch.cat([state.mask, mask], dim=1)
        if position_ids is None:
            position_ids = count_up(whole, mask.shape[1])
        cache = state.fork() if state else self._new_cache() if keep_state else None
        output = self.qwen3(
            inputs_embeds=embeddings,
            attention_mask=whole,
            position_ids=position_ids,
            **cache_argument(self.qwen3, cache),
        )
        return output.last_hidden_state, TemporalState(whole, cache) if keep_state else None

    def restore_buffers(self) -> None:
        """Work out the rotation frequencies anew, which no file holds: after building on "meta"."""
        restore_rotary(self.qwen3)

    def checkpoint_layers(self) -> None:
        """Keep only each layer's input in training, and work the rest out again for gradients."""
        qwen3: Any = self.qwen3
        settings = {"use_reentrant": False}
        if hasattr(qwen3, "activation_checkpointing_enable"):  # the newer name
            qwen3.activation_checkpointing_enable(settings)
        else:
            qwen3.gradient_checkpointing_enable(settings)

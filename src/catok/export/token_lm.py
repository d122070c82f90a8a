"""A language model on onnxruntime, with what generation and recognition call of a `TokenLM`."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from catok.export.lm_runtime import OnnxLMRuntime, Past
from catok.lm.asr.ctc import BaseCTCHead
from catok.lm.config import TokenLMConfig
from catok.lm.depth_transformer import DepthState
from catok.lm.interface import BaseTokenLM
from catok.lm.positions import count_up, position_ids
from catok.lm.temporal_transformer import TemporalState
from catok.tokenizer.checks import check_quantizers


@dataclass
class OnnxCacheLayer:
    """Keys and values `[B, H, P, head_dim]` of one layer."""

    keys: Tensor
    values: Tensor


@dataclass
class OnnxCache:
    """The `cache` of a `TemporalState` whose keys and values onnxruntime works out."""

    layers: list[OnnxCacheLayer]


class OnnxTokenLM(BaseTokenLM):
    """The language model in a folder that `catok export` wrote, on the CPU.

    `Synthesizer.from_pretrained(folder, backend="onnx", threads=1)` makes one. Tensors are taken
    and given, but what is worked out is worked out by onnxruntime, in memory that they share.
    """

    def __init__(self, runtime: OnnxLMRuntime) -> None:
        self.runtime = runtime
        self.config = TokenLMConfig.from_dict(runtime.description.token_lm)

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    def temporal(
        self,
        tokens: Tensor,
        mask: Tensor | None = None,
        state: TemporalState | None = None,
        num_quantizers: int | None = None,
        keep_state: bool = True,
    ) -> tuple[Tensor, TemporalState | None]:
        """As `BaseTokenLM.temporal`."""
        depth = check_quantizers(num_quantizers, self.config.n_vq)
        real = torch.ones_like(tokens[..., 0], dtype=torch.bool) if mask is None else mask
        whole = real if state is None else torch.cat([state.mask, real], dim=1)
        before = state and state.position_state
        if self.config.text_rate:
            places, position_state = position_ids(tokens[..., 0], real, self.config, before)
        else:
            places, position_state = count_up(whole, tokens.shape[1]).float(), None
        hidden, past = self.runtime.temporal_step(
            tokens[..., : 1 + depth].numpy(),
            whole.numpy(),
            places.numpy(),
            self._past(state, len(tokens)),
        )
        after = TemporalState(whole, _cache(past), position_state) if keep_state else None
        return torch.from_numpy(hidden), after

    def depth_step(
        self, channel: int, previous: Tensor, past: DepthState | None
    ) -> tuple[Tensor, DepthState]:
        """As `BaseTokenLM.depth_step`."""
        before = self.runtime.no_depth_past(len(previous))
        if past is not None:
            pairs = zip(past.keys, past.values, strict=True)
            before = [each.numpy() for pair in pairs for each in pair]
        logits, after = self.runtime.depth_step(channel, previous.numpy(), before)
        keys, values = (tuple(map(torch.from_numpy, after[first::2])) for first in (0, 1))
        return torch.from_numpy(logits), DepthState(keys, values)

    def _past(self, state: TemporalState | None, batch_size: int) -> Past:
        if state is None:
            return self.runtime.no_past(batch_size)
        return [each.numpy() for layer in state.cache.layers for each in (layer.keys, layer.values)]


class OnnxCTCHead(BaseCTCHead):
    """The CTC head in such a folder."""

    def __init__(self, runtime: OnnxLMRuntime) -> None:
        config = runtime.description.token_lm["language_config"]
        self.width, self.vocab = config["hidden_size"], config["vocab_size"]
        self.per_frame = runtime.description.ctc_per_frame
        self._runtime = runtime

    def log_probs(self, hidden: Tensor) -> Tensor:
        """As `BaseCTCHead.log_probs`."""
        return torch.from_numpy(self._runtime.ctc(hidden.numpy()))


def load_language_model(
    folder: Path, *, threads: int | None = None
) -> tuple[OnnxTokenLM, OnnxCTCHead | None]:
    """The language model in a folder, and its CTC head if it has one."""
    runtime = OnnxLMRuntime(folder, threads=threads)
    head = OnnxCTCHead(runtime) if runtime.has("ctc") else None
    return OnnxTokenLM(runtime), head


def _cache(past: Past) -> OnnxCache:
    tensors = [torch.from_numpy(each) for each in past]
    pairs = zip(tensors[0::2], tensors[1::2], strict=True)
    return OnnxCache([OnnxCacheLayer(keys, values) for keys, values in pairs])

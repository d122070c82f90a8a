"""The text channel, token by token, for several hypotheses at once; its state is a value."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from catok.lm.config import SPECIAL
from catok.lm.interface import BaseTokenLM
from catok.lm.temporal_transformer import TemporalState
from catok.lm.tokens import text_tokens


@dataclass(frozen=True)
class DecoderState:
    """What N hypotheses may say next: `log_probs` `[N, V]` float32, and what the model remembers.

    Special tokens other than the end have log-probability -inf.
    """

    log_probs: Tensor
    temporal: TemporalState

    def select(self, rows: Sequence[int]) -> "DecoderState":
        """Some hypotheses, also repeatedly; the same object where that changes nothing."""
        if list(rows) == list(range(len(self.log_probs))):
            return self
        index = torch.tensor(rows, dtype=torch.int64, device=self.log_probs.device)
        return DecoderState(self.log_probs[index], self.temporal.select(index))

    @staticmethod
    def join(states: Sequence["DecoderState"]) -> "DecoderState":
        """The hypotheses of several states in one."""
        temporal = TemporalState.join([state.temporal for state in states])
        return DecoderState(torch.cat([state.log_probs for state in states]), temporal)


class TextDecoder:
    """Steps of a `TokenLM` that reads `num_quantizers` codebooks and writes text."""

    def __init__(self, model: BaseTokenLM, num_quantizers: int) -> None:
        self.model, self.num_quantizers = model, num_quantizers
        self.end = model.config.im_end_token_id
        ids = {getattr(model.config, name) for name in SPECIAL} - {self.end}
        self._barred = torch.tensor(sorted(ids), device=model.device)

    @torch.no_grad()
    def first(self, hidden: Tensor, temporal: TemporalState) -> DecoderState:
        """After hidden states `[N, D]`, the newest that `temporal` has seen."""
        logits = self.model.text_logits(hidden)
        logits[:, self._barred] = float("-inf")
        return DecoderState(logits.log_softmax(dim=-1), temporal)

    @torch.no_grad()
    def step(self, state: DecoderState, tokens: Sequence[int]) -> DecoderState:
        """One token more for each hypothesis."""
        rows = text_tokens(tokens, self.model.config)[:, None].to(self.model.device)
        hidden, temporal = self.model.temporal(rows, None, state.temporal, self.num_quantizers)
        assert temporal is not None
        return self.first(hidden[:, -1], temporal)

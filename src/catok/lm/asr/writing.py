"""The text channel, token by token, for several hypotheses at once; its state is a value."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from catok.lm.asr.beam import BeamSearch, Hypothesis
from catok.lm.config import SPECIAL
from catok.lm.model import TokenLM
from catok.lm.rows import text_rows
from catok.lm.temporal import TemporalState


@dataclass(frozen=True)
class TextState:
    """What N hypotheses may say next: `log_probs` `[N, V]` float32, and what the model remembers.

    Special tokens other than the end have log-probability -inf.
    """

    log_probs: Tensor
    temporal: TemporalState

    def select(self, rows: Sequence[int]) -> "TextState":
        """Some hypotheses, also repeatedly; the same object where that changes nothing."""
        if list(rows) == list(range(len(self.log_probs))):
            return self
        index = torch.tensor(rows, dtype=torch.int64, device=self.log_probs.device)
        return TextState(self.log_probs[index], self.temporal.select(index))


class TextWriter:
    """Steps of a `TokenLM` that reads `num_quantizers` codebooks and writes text."""

    def __init__(self, model: TokenLM, num_quantizers: int) -> None:
        self.model, self.num_quantizers = model, num_quantizers
        self.end = model.config.im_end_token_id
        ids = {getattr(model.config, name) for name in SPECIAL} - {self.end}
        self._barred = torch.tensor(sorted(ids), device=model.device)

    @torch.no_grad()
    def first(self, hidden: Tensor, temporal: TemporalState) -> TextState:
        """After hidden states `[N, D]`, the newest that `temporal` has seen."""
        logits = self.model.text_logits(hidden)
        logits[:, self._barred] = float("-inf")
        return TextState(logits.log_softmax(dim=-1), temporal)

    @torch.no_grad()
    def step(self, state: TextState, tokens: Sequence[int]) -> TextState:
        """One token more for each hypothesis."""
        rows = text_rows(tokens, self.model.config)[:, None].to(self.model.device)
        hidden, temporal = self.model.temporal(rows, None, state.temporal, self.num_quantizers)
        assert temporal is not None
        return self.first(hidden[:, -1], temporal)


def write_greedily(
    writer: TextWriter, state: TextState, max_tokens: Sequence[int]
) -> list[Hypothesis]:
    """The likeliest token at each step, for recordings that are the rows of `state`.

    After `max_tokens` (one limit per recording) the end is taken, whatever its probability.
    """
    texts: list[list[int]] = [[] for _ in max_tokens]
    totals = [0.0] * len(texts)
    alive = list(range(len(texts)))
    while alive:
        chosen = state.log_probs.argmax(dim=-1).tolist()
        for place, row in enumerate(alive):
            if len(texts[row]) >= max_tokens[row]:
                chosen[place] = writer.end
            totals[row] += float(state.log_probs[place, chosen[place]])
        going = [place for place, token in enumerate(chosen) if token != writer.end]
        for place in going:
            texts[alive[place]].append(chosen[place])
        alive = [alive[place] for place in going]
        if alive:
            state = writer.step(state.select(going), [chosen[place] for place in going])
    return [
        Hypothesis(tuple(text), total, total) for text, total in zip(texts, totals, strict=True)
    ]


def write_best(
    writer: TextWriter, state: TextState, searches: Sequence[BeamSearch]
) -> list[Hypothesis]:
    """Run one fresh search per row of `state`, all of them together."""
    running = list(searches)
    while running:
        origins: list[int] = []
        tokens: list[int] = []
        first = 0
        for search in running:
            count = len(search.open)
            chosen = search.advance(state.log_probs[first : first + count])
            origins += [first + origin for origin, _ in chosen]
            tokens += [token for _, token in chosen]
            first += count
        running = [search for search in running if search.open]
        if running:
            state = writer.step(state.select(origins), tokens)
    return [search.best() for search in searches]

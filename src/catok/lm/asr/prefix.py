"""How likely a text is to begin so, by CTC: the sum over all alignments of all continuations.

Watanabe et al., "Hybrid CTC/Attention Architecture for End-to-End Speech Recognition" (2017),
algorithm 2. The recursion over time is solved in closed form: r[t] = p[t] (r[t-1] + f[t]) gives
log r[t] = P[t] + log sum over s <= t of exp(log f[s] - P[s-1]), P the running sum of log p.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

NEVER = float("-inf")
FLOOR = -1e4  # log-probabilities below count as this: sums of them must stay finite


@dataclass(frozen=True)
class PrefixState:
    """A prefix and its alignments to the first t positions, t = 0 to T.

    `label`, `blank` `[T + 1]` float64: log-probability of the alignments that end in the prefix's
    last token or in a blank. `last`: that token, -1 for the empty prefix. `score`: log-probability
    of all texts that begin with the prefix.
    """

    label: Tensor
    blank: Tensor
    last: int
    score: float


@dataclass(frozen=True)
class Extensions:
    """Prefixes longer by one of C tokens; `scores` `[C]` float64, like `PrefixState.score`."""

    scores: Tensor
    tokens: Tensor
    label: Tensor
    blank: Tensor

    def __getitem__(self, index: int) -> PrefixState:
        """The state of one of them."""
        token, score = int(self.tokens[index]), float(self.scores[index])
        return PrefixState(self.label[index], self.blank[index], token, score)


class PrefixScorer:
    """Prefix scores of one recording, from `[T, V + 1]` log-probabilities, the blank last."""

    def __init__(self, log_probs: Tensor) -> None:
        self._log_probs = log_probs.detach().cpu().double().clamp(min=FLOOR)
        self._blank = _running(self._log_probs[:, -1])

    def start(self) -> PrefixState:
        """The empty prefix: certain, score 0."""
        return PrefixState(torch.full_like(self._blank, NEVER), self._blank, -1, 0.0)

    def extend(self, state: PrefixState, tokens: Tensor) -> Extensions:
        """The prefix with each of the `tokens` `[C]` int64 after it; none of them is the blank."""
        chances = self._log_probs[:, tokens].t()
        label = state.label.expand(len(tokens), -1).clone()
        label[tokens == state.last] = NEVER  # a repeated token needs a blank in between
        entering = torch.logaddexp(label, state.blank)[:, :-1]
        running = _running(chances)
        begun = _shifted(torch.logcumsumexp(entering - running[:, :-1], dim=1)) + running
        blanks = torch.logcumsumexp(begun[:, :-1] - self._blank[:-1], dim=1)
        blank = _shifted(blanks) + self._blank
        scores = torch.logsumexp(entering + chances, dim=1)
        return Extensions(scores, tokens, begun, blank)

    def finish(self, state: PrefixState) -> float:
        """Log-probability that the text is the prefix and no more."""
        return float(torch.logaddexp(state.label[-1], state.blank[-1]))


def _running(log_probs: Tensor) -> Tensor:
    """Sums `[..., T + 1]` of the first t of `[..., T]`."""
    return torch.nn.functional.pad(log_probs.cumsum(dim=-1), (1, 0))


def _shifted(values: Tensor) -> Tensor:
    """`[C, T]` for t = 1 to T -> `[C, T + 1]`, impossible at t = 0."""
    return torch.nn.functional.pad(values, (1, 0), value=NEVER)

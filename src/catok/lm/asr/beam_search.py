"""Beam search for one recording's text, as bookkeeping alone: the caller runs the language model.

With a CTC scorer the score is joint: (1 - w) log p_lm + w log p_ctc(prefix). Watanabe et al.,
"Hybrid CTC/Attention Architecture for End-to-End Speech Recognition" (2017), section III-B and
algorithm 2.
The recursion over time is solved in closed form: r[t] = p[t] (r[t-1] + f[t]) gives
log r[t] = P[t] + log sum over s <= t of exp(log f[s] - P[s-1]), P the running sum of log p.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from catok.io.numbers import check_number, check_whole_number

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


class CTCPrefixScorer:
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


@dataclass(frozen=True)
class Hypothesis:
    """A text so far: its tokens without the end, the model's log-probability (of an ended one with
    the end), and the score that ranks it, before length normalisation.
    """

    tokens: tuple[int, ...] = ()
    log_prob: float = 0.0
    score: float = 0.0
    prefix: PrefixState | None = None


@dataclass(frozen=True)
class _Candidate:
    """One more token after an open hypothesis."""

    origin: int
    token: int
    log_prob: float
    score: float
    extensions: Extensions | None = None
    place: int = 0


class BeamSearch:
    """The `width` best open hypotheses, all of one length, and those that have ended.

    `end`: the token that ends a text; after `max_tokens` others a text must end. Ended texts are
    ranked by score / tokens ** `length_power`, the end counted. The search is over when `width`
    texts have ended, or none that is open can still win. With a `scorer`, `ctc_weight` is its
    share, and each hypothesis goes on with the `candidates` tokens that the model likes best.
    Raises ValueError on settings out of range.
    """

    def __init__(
        self,
        width: int,
        end: int,
        max_tokens: int,
        length_power: float = 0.0,
        scorer: CTCPrefixScorer | None = None,
        ctc_weight: float = 0.0,
        candidates: int = 12,
    ) -> None:
        check_whole_number("width", width, at_least=1)
        check_whole_number("max_tokens", max_tokens, at_least=0)
        check_whole_number("candidates", candidates, at_least=1)
        check_number("length_power", length_power, at_least=0)
        check_number("ctc_weight", ctc_weight, at_least=0, at_most=1)
        self.width, self.end, self.max_tokens = width, end, max_tokens
        self.length_power = length_power
        self.scorer = scorer if ctc_weight > 0 else None
        self.ctc_weight = ctc_weight if self.scorer else 0.0
        self.candidates = candidates
        self.open = [Hypothesis(prefix=self.scorer.start() if self.scorer else None)]
        self.ended: list[Hypothesis] = []

    def advance(self, log_probs: Tensor) -> list[tuple[int, int]]:
        """One step, by the model's log-probabilities `[len(open), V]` of what comes next.

        Returns, for each hypothesis that is open now, which of the open ones it came from and its
        new token; nothing when the search is over.
        """
        table = log_probs.detach().cpu().double()
        candidates: list[_Candidate] = []
        for origin, hypothesis in enumerate(self.open):
            candidates += self._candidates(origin, hypothesis, table[origin])
        candidates = [each for each in candidates if each.score > float("-inf")]
        candidates.sort(key=lambda each: each.score, reverse=True)
        for each in candidates[: self.width]:
            if each.token == self.end:
                tokens = self.open[each.origin].tokens
                self.ended.append(Hypothesis(tokens, each.log_prob, each.score))
        survivors = [each for each in candidates if each.token != self.end][: self.width]
        self.open = [self._grown(each) for each in survivors]
        if self._over():
            self.open = []
            return []
        return [(each.origin, each.token) for each in survivors]

    def best(self) -> Hypothesis:
        """The ended text that ranks highest. Raises ValueError before any has ended."""
        if not self.ended:
            raise ValueError("no text has ended: call advance until it returns nothing")
        return max(self.ended, key=self.rank)

    def rank(self, hypothesis: Hypothesis) -> float:
        """The normalised score of an ended text."""
        return hypothesis.score / (len(hypothesis.tokens) + 1) ** self.length_power

    def _over(self) -> bool:
        if not self.open or len(self.ended) >= self.width:
            return True
        if not self.ended:
            return False
        hope = self.open[0].score / (self.max_tokens + 1) ** self.length_power
        return self.rank(self.best()) >= hope  # scores only fall, and the best of them is first

    def _candidates(self, origin: int, hypothesis: Hypothesis, row: Tensor) -> list[_Candidate]:
        stop = hypothesis.log_prob + float(row[self.end])
        ending = _Candidate(origin, self.end, stop, self._joint(stop, hypothesis))
        if len(hypothesis.tokens) >= self.max_tokens:
            return [ending]
        wanted = self.width if self.scorer is None else max(self.width, self.candidates)
        extending = row.clone()
        extending[self.end] = float("-inf")
        values, tokens = extending.topk(min(wanted, len(row) - 1))
        log_probs = hypothesis.log_prob + values
        extensions, scores = None, log_probs
        if self.scorer is not None and hypothesis.prefix is not None:
            extensions = self.scorer.extend(hypothesis.prefix, tokens)
            scores = (1 - self.ctc_weight) * log_probs + self.ctc_weight * extensions.scores
        rest = zip(tokens.tolist(), log_probs.tolist(), scores.tolist(), strict=True)
        grown = [_Candidate(origin, *each, extensions, place) for place, each in enumerate(rest)]
        return [ending, *grown]

    def _joint(self, log_prob: float, hypothesis: Hypothesis) -> float:
        if self.scorer is None or hypothesis.prefix is None:
            return log_prob
        whole = self.scorer.finish(hypothesis.prefix)
        return (1 - self.ctc_weight) * log_prob + self.ctc_weight * whole

    def _grown(self, each: _Candidate) -> Hypothesis:
        tokens = (*self.open[each.origin].tokens, each.token)
        prefix = None if each.extensions is None else each.extensions[each.place]
        return Hypothesis(tokens, each.log_prob, each.score, prefix)


class GreedySearch:
    """The likeliest token at each step, with the methods of a `BeamSearch`."""

    def __init__(self, end: int, max_tokens: int) -> None:
        self.end, self.max_tokens = end, max_tokens
        self.open = [Hypothesis()]

    def advance(self, log_probs: Tensor) -> list[tuple[int, int]]:
        """As `BeamSearch.advance`, of one hypothesis."""
        before = self.open[0]
        full = len(before.tokens) >= self.max_tokens
        token = self.end if full else int(log_probs[0].argmax())
        total = before.log_prob + float(log_probs[0, token])
        if token == self.end:
            self.open, self._best = [], Hypothesis(before.tokens, total, total)
            return []
        self.open = [Hypothesis((*before.tokens, token), total, total)]
        return [(0, token)]

    def best(self) -> Hypothesis:
        """The text, once it has ended."""
        return self._best

"""Beam search against every text there is, on a toy language model."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.lm.asr.beam_search import BeamSearch, CTCPrefixScorer
from catok.lm.asr.ctc import collapse

VOCAB, END, LONGEST = 3, 2, 4  # tokens 0 and 1, and the end


class Toy:
    """A language model whose next token depends on all that came before it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def log_probs(self, tokens: tuple[int, ...]) -> torch.Tensor:
        number = sum((token + 1) * 3**place for place, token in enumerate(tokens))
        generator = torch.Generator().manual_seed(1000 * self.seed + number)
        return (2 * torch.randn(VOCAB, generator=generator)).log_softmax(dim=0)

    def log_prob(self, tokens: tuple[int, ...]) -> float:
        """Of the whole text, with its end."""
        symbols = enumerate([*tokens, END])
        return sum(float(self.log_probs(tokens[:place])[symbol]) for place, symbol in symbols)


def all_texts():
    for length in range(LONGEST + 1):
        yield from itertools.product(range(2), repeat=length)


def run(search: BeamSearch, toy: Toy) -> BeamSearch:
    while search.open:
        search.advance(torch.stack([toy.log_probs(each.tokens) for each in search.open]))
    return search


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), power=st.sampled_from([0.0, 0.6, 1.0]))
def test_a_wide_beam_finds_the_best_of_all_texts(seed, power):
    toy = Toy(seed)
    best = run(BeamSearch(1000, END, LONGEST, power), toy).best()
    scores = {text: toy.log_prob(text) / (len(text) + 1) ** power for text in all_texts()}
    assert best.tokens == max(scores, key=scores.__getitem__)
    assert best.log_prob == pytest.approx(toy.log_prob(best.tokens), abs=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), weight=st.sampled_from([0.2, 0.5, 1.0]))
def test_joint_search_adds_the_ctc_probability_of_the_text(seed, weight):
    toy, positions = Toy(seed), 5
    generator = torch.Generator().manual_seed(seed)
    table = (2 * torch.randn(positions, 3, generator=generator)).log_softmax(dim=1)
    ctc = {text: torch.tensor(float("-inf")) for text in all_texts()}
    for path in itertools.product(range(3), repeat=positions):
        text = tuple(collapse(path, 2))
        if text in ctc:
            chance = table[range(positions), list(path)].sum()
            ctc[text] = torch.logaddexp(ctc[text], chance)
    scores = {t: (1 - weight) * toy.log_prob(t) + weight * float(ctc[t]) for t in ctc}
    # the CTC table knows tokens 0 and 1, which are the language model's
    scorer = CTCPrefixScorer(
        torch.cat([table[:, :2], torch.full((5, 1), -1e4), table[:, 2:]], dim=1)
    )
    best = run(BeamSearch(1000, END, LONGEST, 0.0, scorer, weight, 1000), toy).best()
    assert best.tokens == max(scores, key=scores.__getitem__)
    assert best.score == pytest.approx(scores[best.tokens], abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999))
def test_width_one_takes_the_likeliest_token_at_each_step(seed):
    toy, tokens = Toy(seed), ()
    while len(tokens) < LONGEST and (token := int(toy.log_probs(tokens).argmax())) != END:
        tokens = (*tokens, token)
    assert run(BeamSearch(1, END, LONGEST, 0.6), toy).best().tokens == tokens


def test_length_normalisation_favours_longer_texts():
    def lengths(power: float) -> float:
        found = [run(BeamSearch(8, END, LONGEST, power), Toy(s)).best() for s in range(20)]
        return sum(len(each.tokens) for each in found)

    assert lengths(0.0) < lengths(1.0)


def test_the_best_text_is_not_known_before_one_has_ended():
    with pytest.raises(ValueError, match="no text has ended"):
        BeamSearch(2, END, LONGEST).best()

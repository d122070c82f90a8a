"""CTC against sums and maxima over all paths, counted one by one."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.lm.asr.beam_search import CTCPrefixScorer
from catok.lm.asr.ctc import align, best_path, collapse, positions_needed

VOCAB = 2  # tokens 0 and 1, blank 2


def random_table(positions: int, seed: int, scale: float = 2.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(positions, VOCAB + 1, generator=generator)).log_softmax(dim=1)


def all_paths(table: torch.Tensor):
    """Every path with its log-probability and what it spells."""
    for path in itertools.product(range(VOCAB + 1), repeat=len(table)):
        chance = sum(float(table[t, symbol]) for t, symbol in enumerate(path))
        yield path, chance, collapse(path, VOCAB)


def log_sum(values) -> float:
    values = list(values)
    return math.log(sum(map(math.exp, values))) if values else float("-inf")


def test_collapse_drops_blanks_and_runs_but_not_repeats():
    assert collapse([2, 0, 0, 2, 0, 1, 1, 2], 2) == [0, 0, 1]
    assert collapse([2, 2], 2) == []
    assert [positions_needed(t) for t in ([], [0], [0, 1], [0, 0, 1, 1])] == [0, 1, 2, 6]


@settings(max_examples=40, deadline=None)
@given(
    positions=st.integers(1, 6),
    prefix=st.lists(st.integers(0, VOCAB - 1), max_size=4),
    seed=st.integers(0, 999),
)
def test_prefix_scores_are_the_sums_over_all_alignments(positions, prefix, seed):
    table = random_table(positions, seed)
    scorer = CTCPrefixScorer(table)
    state = scorer.start()
    for token in prefix:
        state = scorer.extend(state, torch.tensor([1 - token, token]))[1]
    paths = list(all_paths(table))
    begin = log_sum(chance for _, chance, text in paths if text[: len(prefix)] == prefix)
    exact = log_sum(chance for _, chance, text in paths if text == prefix)
    assert state.score == pytest.approx(begin, abs=1e-6)
    assert scorer.finish(state) == pytest.approx(exact, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(positions=st.integers(30, 400), seed=st.integers(0, 99))
def test_long_recordings_keep_to_the_recursion_over_time(positions, seed):
    """The closed form against the textbook recursion, with probabilities as small as they get."""
    table = random_table(positions, seed, scale=20.0).double()
    scorer, tokens = CTCPrefixScorer(table), [0, 0, 1, 0]
    state = scorer.start()
    for token in tokens:
        state = scorer.extend(state, torch.tensor([token]))[0]
    label = torch.full((len(tokens) + 1,), float("-inf")).double()
    blank = label.clone()
    blank[0] = 0.0
    for row in table:
        stay = torch.logaddexp(label, blank)
        enter = torch.tensor(
            [float("-inf")]
            + [
                float(blank[i] if i and tokens[i] == tokens[i - 1] else stay[i])
                for i in range(len(tokens))
            ]
        )
        chances = torch.tensor([float("-inf")] + [float(row[token]) for token in tokens])
        label = torch.logaddexp(label, enter) + chances
        blank = stay + row[-1]
    expected = float(torch.logaddexp(label[-1], blank[-1]))
    assert scorer.finish(state) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    positions=st.integers(1, 6),
    tokens=st.lists(st.integers(0, VOCAB - 1), max_size=4),
    seed=st.integers(0, 999),
)
def test_alignment_is_the_likeliest_path_of_its_text(positions, tokens, seed):
    table = random_table(positions, seed)
    if positions_needed(tokens) > positions:
        with pytest.raises(ValueError, match="the text is too long"):
            align(table, tokens)
        return
    spans = align(table, tokens)
    path = [VOCAB] * positions
    for token, (start, end) in zip(tokens, spans, strict=True):
        assert start < end
        path[start:end] = [token] * (end - start)
    assert collapse(path, VOCAB) == tokens
    chance = sum(float(table[t, symbol]) for t, symbol in enumerate(path))
    assert chance == pytest.approx(max(c for _, c, text in all_paths(table) if text == tokens))


@settings(max_examples=20, deadline=None)
@given(positions=st.integers(1, 6), seed=st.integers(0, 999))
def test_best_path_is_the_best_of_all(positions, seed):
    table = random_table(positions, seed)
    path, chance = best_path(table)
    best = max(all_paths(table), key=lambda each: each[1])
    assert tuple(path) == best[0]
    assert chance == pytest.approx(best[1], abs=1e-5)

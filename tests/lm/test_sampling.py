import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from catok.lm.repetition_history import RepetitionHistory
from catok.lm.sampler import Sampler
from catok.lm.sampling import SamplingConfig, draw, penalize, probabilities
from tests.lm.conftest import small_config

LOGITS = st.lists(st.integers(-80, 80), min_size=2, max_size=12, unique=True).map(
    lambda values: [value / 10 for value in values]
)


def plain_probabilities(logits, temperature, top_k, top_p):
    """The law in words, one token at a time; and how near a token came to the edge of top-p."""
    weights = {i: math.exp(value / temperature) for i, value in enumerate(logits)}
    order = sorted(weights, key=lambda i: -weights[i])[: top_k or None]
    total, before, kept, margin = sum(weights[i] for i in order), 0.0, [], 1.0
    for i in order:
        if top_p == 1 or not kept or before / total < top_p:
            kept.append(i)
        margin = min(margin, abs(before / total - top_p))
        before += weights[i]
    total = sum(weights[i] for i in kept)
    found = [weights[i] / total if i in kept else 0.0 for i in range(len(logits))]
    return found, 1.0 if top_p == 1 else margin


@settings(max_examples=80, deadline=None)
@given(LOGITS, st.floats(0.3, 2), st.integers(0, 6), st.sampled_from([0.2, 0.5, 0.83, 1.0]))
def test_probabilities_follow_the_law(logits, temperature, top_k, top_p):
    expected, margin = plain_probabilities(logits, temperature, top_k, top_p)
    assume(margin > 1e-4)
    found = probabilities(torch.tensor([logits]), temperature, top_k, top_p)[0]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=1e-4)


def test_top_k_and_top_p_by_hand():
    logits = torch.tensor([[0.5, 0.2, 0.25, 0.05]]).log()
    torch.testing.assert_close(
        probabilities(logits, 1.0, 2, 1.0), torch.tensor([[2 / 3, 0, 1 / 3, 0]])
    )
    torch.testing.assert_close(
        probabilities(logits, 1.0, 0, 0.7), torch.tensor([[2 / 3, 0, 1 / 3, 0]])
    )
    assert probabilities(logits, 1.0, 0, 0.01).tolist() == [[1, 0, 0, 0]]
    torch.testing.assert_close(
        probabilities(logits, 0.5, 0, 1.0), (logits.exp() ** 2 / (logits.exp() ** 2).sum())
    )


def test_the_penalty_pushes_down_what_was_seen():
    logits = torch.tensor([[2.0, -2.0, 1.0, -1.0]])
    seen = torch.tensor([[True, True, False, False]])
    assert penalize(logits, seen, 2.0).tolist() == [[1.0, -4.0, 1.0, -1.0]]


def test_drawing_follows_the_probabilities_and_never_takes_the_impossible():
    chances = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0]])
    uniform = torch.linspace(0, 1, 1001)[:-1]
    drawn = draw(chances.expand(1000, 5), uniform)
    assert set(drawn.tolist()) == {1, 3}
    assert (drawn == 1).float().mean().item() == pytest.approx(0.3, abs=2e-3)
    below_one = torch.tensor([1 - 2**-24])
    for scale in (0.1, 1 / 3, 0.7, 1.0, 1.3):
        assert draw(chances * scale, below_one).item() == 3


def test_seen_codes_hold_everything_and_only_that():
    rows = torch.tensor([[[9, 1, 2], [9, 3, 2]], [[9, 0, 0], [9, 0, 4]]])
    history = RepetitionHistory(rows, 1, 5)
    assert history.channel(1).nonzero().tolist() == [[0, 1], [0, 3], [1, 0]]
    history.select(torch.tensor([1]))
    history.add(torch.tensor([[[9, 2, 2]]]))
    assert history.channel(1).nonzero().tolist() == [[0, 0], [0, 2]]


def test_a_row_draws_the_same_whatever_its_neighbours():
    config, logits = small_config(), torch.randn(3, 17)

    def draws(seeds, rows):
        sampler = Sampler(SamplingConfig(), config, seeds)
        found = []
        for _ in range(20):
            sampler.start_frame(2)
            found.append(sampler.choose(1, logits[rows], None))
        return torch.stack(found, dim=1)

    together = draws([5, 6, 7], [0, 1, 2])
    assert torch.equal(draws([6], [1]), together[1:2])
    assert not torch.equal(draws([8], [1]), together[1:2])


def test_greedy_takes_the_best_without_any_processing():
    config = small_config()
    sampler = Sampler(SamplingConfig.greedy(), config, [0])
    sampler.start_frame(2)
    logits = torch.tensor([[1.0, 1.1, 0.0]])
    assert sampler.choose(1, logits, torch.tensor([[False, True, False]])).item() == 1


def test_restricted_text_is_one_of_two():
    config = small_config()
    for how in (SamplingConfig(restrict_text=True), SamplingConfig.greedy(restrict_text=True)):
        sampler = Sampler(how, config, [1])
        chosen = set()
        for _ in range(40):
            sampler.start_frame(1)
            logits = torch.zeros(1, 264)
            logits[0, 100], logits[0, 6] = 50.0, 0.1
            chosen.add(sampler.choose(0, logits, None).item())
        assert chosen == ({6} if how.text_temperature <= 0 else {4, 6})


@pytest.mark.parametrize(
    "changes",
    [
        {"text_top_k": -1},
        {"audio_top_p": 0.0},
        {"audio_repetition_penalty": 0.0},
        {"guidance": -0.5},
        {"guidance": float("inf")},
        {"text_temperature": float("nan")},
        {"audio_temperature": float("inf")},
        {"audio_temperature": 1e-300},
        {"audio_top_k": 2.5},
        {"audio_top_p": float("nan")},
        {"audio_repetition_penalty": float("nan")},
        {"audio_repetition_penalty": 1e-300},
    ],
)
def test_bad_settings_are_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        SamplingConfig(**changes)

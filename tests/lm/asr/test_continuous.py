"""Pieces that come when they like are recognised as they are alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.lm.asr import DecodingConfig
from catok.lm.asr.continuous import RecognitionEngine
from tests.lm.asr.conftest import same

QUICK = {"tokens_per_second": 6.0}
CONFIGS = (
    DecodingConfig("greedy", **QUICK),
    DecodingConfig("beam", beam=3, **QUICK),
    DecodingConfig("beam", beam=2, ctc_weight=0.0, timestamps=True, **QUICK),
    DecodingConfig("ctc", timestamps=True),
)


def piece(frames, depth, seed):
    return torch.randint(64, (depth, frames), generator=torch.Generator().manual_seed(seed))


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 20),  # frames
            st.integers(1, 4),  # codebooks
            st.integers(0, 3),  # how
            st.integers(0, 4),  # steps before the next
        ),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 99),
    st.integers(1, 4),
)
def test_pieces_in_company_give_what_they_give_alone(recognizer, plan, seed, rows):
    engine = RecognitionEngine(recognizer, rows)
    wanted, found = {}, {}
    for index, (frames, depth, how, steps) in enumerate(plan):
        codes = piece(frames, depth, seed + index)
        wanted[engine.admit(codes, CONFIGS[how])] = codes, CONFIGS[how]
        for _ in range(steps):
            found |= dict(engine.step())
            assert engine.running <= rows
    while engine.busy:
        found |= dict(engine.step())
    assert set(found) == set(wanted)
    for number, (codes, config) in wanted.items():
        same(found[number], recognizer.recognize([codes], config)[0])


def test_who_is_retired_is_not_missed(recognizer):
    engine = RecognitionEngine(recognizer, rows=3)
    pieces = [piece(12, 4, seed) for seed in range(4)]
    numbers = [engine.admit(each, CONFIGS[1]) for each in pieces]
    found = {}
    for _ in range(3):
        found |= dict(engine.step())
    for gone in (numbers[0], numbers[3], numbers[3]):
        engine.retire(gone)
    assert not found
    while engine.busy:
        found |= dict(engine.step())
    assert set(found) == {numbers[1], numbers[2]}
    for index in (1, 2):
        same(found[numbers[index]], recognizer.recognize([pieces[index]], CONFIGS[1])[0])


def test_a_head_that_is_missing_is_asked_for_at_the_door(headless):
    with pytest.raises(ValueError, match="CTC head"):
        RecognitionEngine(headless).admit(piece(4, 4, 0), CONFIGS[3])

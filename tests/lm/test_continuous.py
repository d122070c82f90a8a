"""Continuous batching: rows that come and go give what the reference gives them alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.lm.continuous import GenerationEngine, GenerationRequest, generate_continuously
from catok.lm.generation import generate
from catok.lm.sampling import SamplingConfig
from tests.lm.conftest import build, random_tokens
from tests.lm.test_positions import CONFIG

SAMPLINGS = (
    SamplingConfig(text_temperature=4.0, restrict_text=True),
    SamplingConfig(text_temperature=2.0, restrict_text=True, audio_top_k=5, audio_top_p=0.7),
    SamplingConfig(text_temperature=1.5, restrict_text=True, audio_temperature=0.0),
    SamplingConfig(text_temperature=4.0, restrict_text=True, guidance=1.5),
)


@pytest.fixture(scope="module")
def placed():
    """A model whose rows do not simply count up along time."""
    return build(CONFIG)


def request(model, length, seed, how=0, depth=4, max_frames=8):
    return GenerationRequest(
        random_tokens(model.config, 1, length, seed)[0],
        depth,
        SAMPLINGS[how],
        max_frames,
        seed,
        random_tokens(model.config, 1, max(1, length - 2), seed + 1)[0],
    )


def alone(model, asked):
    (found,) = generate(
        model,
        [asked.prompt],
        num_quantizers=asked.num_quantizers,
        sampling=asked.sampling,
        max_frames=asked.max_frames,
        seeds=[asked.seed],
        unconditional=[asked.unconditional],
    )
    return found


asked = st.tuples(
    st.integers(1, 9),  # rows of the prompt
    st.integers(0, 9999),  # seed
    st.integers(0, 3),  # sampling
    st.integers(1, 4),  # codebooks
    st.integers(1, 8),  # limit of frames
    st.integers(0, 3),  # steps before the next one
)


@settings(max_examples=15, deadline=None)
@given(st.lists(asked, min_size=1, max_size=7), st.integers(1, 4))
def test_rows_in_company_give_what_they_give_alone(small, plan, rows):
    engine = GenerationEngine(small, rows)
    wanted, columns, over = {}, {}, {}

    def step():
        frames = engine.step()
        assert len(frames) <= rows
        for frame in frames:
            if frame.codes is not None:
                columns.setdefault(frame.row, []).append(frame.codes)
            if frame.over:
                assert frame.row not in over
                over[frame.row] = frame.ended

    for *fields, steps in plan:
        made = request(small, *fields)
        wanted[engine.admit(made)] = made
        for _ in range(steps):
            step()
    while engine.busy:
        step()
    assert set(over) == set(wanted) and engine.running == engine.waiting == 0
    for number, made in wanted.items():
        expected = alone(small, made)
        found = columns.get(number, [])
        assert len(found) == expected.codes.shape[1]
        assert not found or torch.equal(torch.stack(found, dim=1), expected.codes)
        assert over[number] == expected.ended


def test_rows_that_stand_elsewhere_along_time(placed):
    requests = [request(placed, 3 + 2 * n, n) for n in range(5)]
    found = generate_continuously(placed, requests, rows=2)
    for made, result in zip(requests, found, strict=True):
        expected = alone(placed, made)
        assert torch.equal(result.codes, expected.codes) and result.ended == expected.ended


def test_who_is_retired_is_not_missed(small):
    engine = GenerationEngine(small, rows=3)
    requests = [request(small, 4, seed, max_frames=6) for seed in range(5)]
    numbers = [engine.admit(each) for each in requests]
    columns = {number: [] for number in numbers}
    gone = [numbers[0], numbers[4]]  # one that runs and one that waits
    for turn in range(100):
        if turn == 2:
            for number in gone:
                engine.retire(number)
                engine.retire(number)
        for frame in engine.step():
            assert turn < 2 or frame.row not in gone
            if frame.codes is not None:
                columns[frame.row].append(frame.codes)
        if not engine.busy:
            break
    for number, made in list(zip(numbers, requests, strict=True))[1:4]:
        expected = alone(small, made).codes
        found = [expected[:, :0], *(each[:, None] for each in columns[number])]
        assert torch.equal(torch.cat(found, dim=1), expected)
    engine.admit(requests[0])
    engine.retire(engine.admit(requests[1]))
    assert engine.waiting == 1


def test_a_prompt_that_several_share_is_read_once(small, monkeypatch):
    prompt = random_tokens(small.config, 1, 6)[0]
    requests = [
        GenerationRequest(prompt, 4, SAMPLINGS[0], 6, seed, prompt[:3]) for seed in range(4)
    ]
    read, temporal = [], small.temporal
    monkeypatch.setattr(
        small,
        "temporal",
        lambda rows, *rest: (read.append(rows.shape[:2]), temporal(rows, *rest))[1],
    )
    found = generate_continuously(small, requests)
    assert read[0] == (1, 6) and all(shape[1] == 1 for shape in read[1:])
    for made, result in zip(requests, found, strict=True):
        assert torch.equal(result.codes, alone(small, made).codes)


def test_bad_requests_are_refused_and_nothing_waits(small):
    prompt, engine = random_tokens(small.config, 1, 3)[0], GenerationEngine(small)
    guided = SamplingConfig(guidance=2.0)
    for bad, match in (
        (GenerationRequest(prompt, 5), "num_quantizers"),
        (GenerationRequest(prompt, max_frames=0), "max_frames"),
        (GenerationRequest(prompt, seed=-1), "seed"),
        (GenerationRequest(prompt, sampling=guided), "unconditional"),
        (GenerationRequest(prompt[:0]), "at least one row"),
    ):
        with pytest.raises(ValueError, match=match):
            engine.admit(bad)
    assert not engine.busy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.lm.generation import generate, generate_frames
from catok.lm.sampler import Sampler
from catok.lm.sampling import SamplingConfig
from tests.lm.conftest import random_tokens

RESTRICTED = SamplingConfig(text_temperature=4.0, restrict_text=True)


def prompts(small, lengths, seed=0):
    return [random_tokens(small.config, 1, n, seed + i)[0] for i, n in enumerate(lengths)]


@settings(max_examples=12, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 8), min_size=2, max_size=4),
    depth=st.integers(1, 4),
    seed=st.integers(0, 9999),
)
def test_a_prompt_alone_gives_what_it_gives_in_a_batch(small, lengths, depth, seed):
    batch, seeds = prompts(small, lengths, seed), [seed + i for i in range(len(lengths))]
    settings = {"num_quantizers": depth, "sampling": RESTRICTED, "max_frames": 6}
    together = generate(small, batch, seeds=seeds, **settings)
    for prompt, own, result in zip(batch, seeds, together, strict=True):
        alone = generate(small, [prompt], seeds=[own], **settings)[0]
        assert torch.equal(alone.codes, result.codes)
        assert alone.ended == result.ended
        assert result.codes.shape[0] == depth
        assert result.ended or result.codes.shape[1] == 6


def test_cached_generation_equals_running_everything_anew(small):
    rows, chosen = random_tokens(small.config, 1, 4), []
    slot, end = 6, 4
    for _ in range(5):
        with torch.no_grad():
            hidden, _ = small.temporal(rows, num_quantizers=3)
            row = torch.zeros(1, 5, dtype=torch.int64)
            for channel in range(4):
                text, audio = small.depth_logits(hidden[:, -1], row, 3)
                if channel == 0:
                    row[0, 0] = slot if text[0, slot] > text[0, end] else end
                else:
                    row[0, channel] = audio[0, channel - 1, :16].argmax()
        if row[0, 0] == end:
            break
        chosen.append(row[0, 1:4])
        rows = torch.cat([rows, row[None]], dim=1)
    found = generate(
        small,
        [random_tokens(small.config, 1, 4)[0]],
        num_quantizers=3,
        sampling=SamplingConfig.greedy(restrict_text=True),
        max_frames=5,
    )[0]
    assert len(chosen) > 1
    assert torch.equal(found.codes, torch.stack(chosen, dim=1))


def test_frames_come_one_by_one_and_rows_stop_alone(small):
    batch = prompts(small, [3, 5, 2, 4])
    settings = {"sampling": RESTRICTED, "max_frames": 40, "seeds": [1, 2, 3, 4]}
    alive, lengths = {0, 1, 2, 3}, dict.fromkeys(range(4), 0)
    for frame in generate_frames(small, batch, **settings):
        assert set(frame.ended) <= alive
        alive -= set(frame.ended)
        assert set(frame.indices) == alive
        assert frame.codes.shape == (len(alive), 4)
        assert bool((frame.codes < 16).all())
        for row in frame.indices:
            lengths[row] += 1
    assert not alive
    assert len(set(lengths.values())) > 1
    results = generate(small, batch, **settings)
    assert [result.codes.shape[1] for result in results] == list(lengths.values())
    assert all(result.ended for result in results)


def test_the_iterator_is_lazy(small):
    frames = generate_frames(small, prompts(small, [3]), max_frames=10**9, seeds=[0])
    assert next(frames).indices == (0,)


def test_seeds_matter_and_none_draws_them_anew(small):
    prompt = prompts(small, [4])
    first, again, other = (
        generate(small, prompt, max_frames=8, seeds=[seed])[0].codes for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    torch.manual_seed(0)
    fresh = [generate(small, prompt, max_frames=8)[0].codes for _ in range(2)]
    assert not torch.equal(*fresh)


def test_the_penalty_knows_the_prompt_and_what_was_generated(small, monkeypatch):
    seen, choose = [], Sampler.choose

    def record(self, channel, logits, held):
        if channel == 2:
            seen.append([set(row.nonzero().flatten().tolist()) for row in held])
        return choose(self, channel, logits, held)

    monkeypatch.setattr(Sampler, "choose", record)
    batch = prompts(small, [2, 3])
    how = SamplingConfig(text_temperature=0.0)
    results = generate(small, batch, sampling=how, max_frames=4, seeds=[0, 1])
    assert [len(result.codes[0]) for result in results] == [4, 4]
    for step, sets in enumerate(seen):
        for row, held in enumerate(sets):
            expected = {*batch[row][:, 2].tolist(), *results[row].codes[1, :step].tolist()}
            assert held - {16} == expected - {16}


def test_bad_arguments_are_refused(small):
    prompt = prompts(small, [3])
    with pytest.raises(ValueError, match="as many seeds"):
        generate(small, prompt, seeds=[1, 2])
    with pytest.raises(ValueError, match="max_frames"):
        generate(small, prompt, max_frames=0)
    with pytest.raises(ValueError, match="num_quantizers"):
        generate(small, prompt, num_quantizers=5)
    with pytest.raises(ValueError, match="at least one sequence"):
        generate(small, [])

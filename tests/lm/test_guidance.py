"""Guidance: the text's share of every choice made larger, and nothing else changed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.lm.generation import generate, generate_frames
from catok.lm.guidance import apply_guidance
from catok.lm.sampling import SamplingConfig
from tests.lm.conftest import random_tokens

GUIDED = SamplingConfig(text_temperature=4.0, restrict_text=True, guidance=2.5)


def prompts(small, lengths, seed=0):
    return [random_tokens(small.config, 1, n, seed + i)[0] for i, n in enumerate(lengths)]


def test_the_difference_is_scaled_and_the_impossible_stays_so():
    conditional = torch.tensor([[1.0, 2.0, float("-inf")]])
    unconditional = torch.tensor([[3.0, 1.0, float("-inf")]])
    both = torch.cat([conditional, unconditional])
    assert torch.equal(apply_guidance(both, 2.0), torch.tensor([[-1.0, 3.0, float("-inf")]]))
    assert torch.equal(apply_guidance(both, 1.0), conditional)
    assert torch.equal(apply_guidance(both, 0.0), torch.tensor([[3.0, 1.0, float("-inf")]]))


@settings(max_examples=12, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 8), min_size=2, max_size=4),
    shorter=st.integers(1, 5),
    depth=st.integers(1, 4),
    seed=st.integers(0, 9999),
)
def test_a_prompt_alone_gives_what_it_gives_in_a_batch(small, lengths, shorter, depth, seed):
    batch, seeds = prompts(small, lengths, seed), [seed + i for i in range(len(lengths))]
    unconditional = prompts(small, [shorter] * len(lengths), seed + 100)
    how = {"num_quantizers": depth, "sampling": GUIDED, "max_frames": 6}
    together = generate(small, batch, seeds=seeds, unconditional=unconditional, **how)
    for prompt, blank, own, result in zip(batch, unconditional, seeds, together, strict=True):
        alone = generate(small, [prompt], seeds=[own], unconditional=[blank], **how)[0]
        assert torch.equal(alone.codes, result.codes)
        assert alone.ended == result.ended


def test_frames_are_those_of_both_prompts_run_anew(small):
    scale, slot, end = 1.7, 6, 4
    conditional, unconditional = prompts(small, [5, 3], 12)
    chosen = []
    for _ in range(5):
        row = torch.zeros(1, 5, dtype=torch.int64)
        with torch.no_grad():
            hidden = [small.temporal(r[None])[0][:, -1] for r in (conditional, unconditional)]
            text, _ = small.depth_logits(hidden[0], row)
            row[0, 0] = slot if text[0, slot] > text[0, end] else end
            for channel in range(4):
                with_text, without = (small.depth_logits(h, row)[1][0, channel] for h in hidden)
                mixed = without + scale * (with_text - without)
                row[0, 1 + channel] = mixed[:16].argmax()
        if row[0, 0] == end:
            break
        chosen.append(row[0, 1:])
        conditional, unconditional = torch.cat([conditional, row]), torch.cat([unconditional, row])
    first, blank = prompts(small, [5, 3], 12)
    how = SamplingConfig(text_temperature=0, audio_temperature=0, restrict_text=True, guidance=1.7)
    found = generate(small, [first], sampling=how, max_frames=5, unconditional=[blank])[0]
    plain = SamplingConfig.greedy(restrict_text=True)
    unguided = generate(small, [first], sampling=plain, max_frames=5)[0]
    assert len(chosen) > 1
    assert torch.equal(found.codes, torch.stack(chosen, dim=1))
    assert not torch.equal(found.codes[:, :1], unguided.codes[:, :1])


def test_guidance_asks_for_the_prompts_without_their_text(small):
    conditional = prompts(small, [4, 4])
    for unconditional in (None, conditional[:1]):
        with pytest.raises(ValueError, match="give unconditional"):
            next(generate_frames(small, conditional, sampling=GUIDED, unconditional=unconditional))

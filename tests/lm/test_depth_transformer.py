import torch
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=20, deadline=None)
@given(
    frames=st.integers(1, 4),
    cuts=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_steps_equal_the_parallel_pass(small, frames, cuts, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(frames, sum(cuts), 24, generator=generator)
    with torch.no_grad():
        whole, _ = small.depth(x)
        state, pieces = None, []
        for piece in x.split(cuts, dim=1):
            output, state = small.depth(piece, state)
            pieces.append(output)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, atol=2e-5, rtol=1e-4)


@settings(max_examples=15, deadline=None)
@given(depth=st.integers(1, 4), seed=st.integers(0, 99))
def test_stepwise_logits_equal_those_of_teacher_forcing(small, depth, seed):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(3, 32, generator=generator)
    labels = torch.randint(16, (3, 5), generator=generator)
    with torch.no_grad():
        text, audio = small.depth_logits(hidden, labels, depth)
        torch.testing.assert_close(small.text_logits(hidden), text, atol=5e-5, rtol=1e-4)
        previous, state = hidden, None
        for channel in range(1 + depth):
            logits, state = small.depth_step(channel, previous, state)
            expected = audio[:, channel - 1].clone() if channel else text
            if channel:
                expected[:, 16] = float("-inf")
            torch.testing.assert_close(logits, expected, atol=5e-5, rtol=1e-4)
            previous = labels[:, channel]


def test_a_channel_sees_earlier_channels_only(small):
    hidden, labels = torch.randn(2, 32), torch.randint(16, (2, 5))
    other = labels.clone()
    other[:, 2] = (other[:, 2] + 1) % 16
    with torch.no_grad():
        text, audio = small.depth_logits(hidden, labels)
        text_too, changed = small.depth_logits(hidden, other)
    assert torch.equal(text, text_too)
    assert torch.equal(audio[:, :2], changed[:, :2])
    assert bool((audio[:, 2:] != changed[:, 2:]).any(dim=2).all())

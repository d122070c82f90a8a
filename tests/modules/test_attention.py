import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.modules import attention
from catok.modules.attention import WindowMasks, dense_attention, windowed_attention


def inputs(steps, past=0, batch=2):
    torch.manual_seed(steps + past)
    q = torch.randn(batch, 2, steps, 8)
    k, v = torch.randn(2, batch, 2, past + steps, 8)
    return q, k, v


def by_hand(q, k, v, window):
    """One query at a time, from the definition."""
    past = k.shape[2] - q.shape[2]
    rows = []
    for i in range(q.shape[2]):
        seen = slice(max(0, past + i - window + 1), past + i + 1)
        scores = (q[:, :, i : i + 1] @ k[:, :, seen].transpose(2, 3)) / q.shape[-1] ** 0.5
        rows.append(scores.softmax(-1) @ v[:, :, seen])
    return torch.cat(rows, dim=2)


def windowed(q, k, v, window, first=None):
    steps = q.shape[2]
    masks = WindowMasks(steps, k.shape[2] - steps, window, first, like=q)
    return windowed_attention(q, k, v, masks)


@given(st.integers(1, 40), st.integers(0, 20), st.integers(1, 30))
def test_the_reference_is_the_definition(steps, past, window):
    q, k, v = inputs(steps, past)
    expected = by_hand(q, k, v, window)
    assert torch.allclose(dense_attention(q, k, v, window), expected, atol=1e-5)


@settings(deadline=None)
@given(st.integers(1, 90), st.integers(0, 40), st.integers(1, 60), st.integers(1, 33))
def test_blocks_equal_the_reference(steps, past, window, block):
    q, k, v = inputs(steps, past)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "QUERY_BLOCK", block)
        blocked = windowed(q, k, v, window)
    assert torch.allclose(blocked, dense_attention(q, k, v, window), atol=1e-5)


def test_rows_that_began_later_do_not_see_what_came_before():
    q, k, v = inputs(steps=5, past=4)
    result = windowed(q, k, v, window=7, first=torch.tensor([0, 3]))
    assert torch.allclose(result[:1], dense_attention(q[:1], k[:1], v[:1], 7), atol=1e-5)
    late = dense_attention(q[1:], k[1:, :, 3:], v[1:, :, 3:], 7)
    assert torch.allclose(result[1:], late, atol=1e-5)


def test_the_window_and_the_future_are_out_of_sight():
    q, k, v = inputs(steps=30)
    before = windowed(q, k, v, window=5)
    v = v.clone()
    v[:, :, 10] += 100
    changed = (windowed(q, k, v, window=5) - before).abs().amax(dim=(0, 1, 3)) > 1e-3
    assert changed.nonzero().flatten().tolist() == [10, 11, 12, 13, 14]


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("first", [None, [0, 30]])
def test_products_of_onednn_give_the_same(monkeypatch, gradients, first):
    """Head by head without gradients, by PyTorch's kernel with them."""
    monkeypatch.setattr(attention, "LARGE_PRODUCT", 1)
    monkeypatch.setattr(attention, "QUERY_BLOCK", 16)
    q, k, v = inputs(steps=50, past=40)
    kernel = attention._fused if gradients else attention._head_by_head
    first = None if first is None else torch.tensor(first)
    with torch.set_grad_enabled(gradients):
        assert not torch.backends.mkldnn.is_available() or attention._kernel(q, k) is kernel
        found = windowed(q, k.transpose(1, 2).contiguous().transpose(1, 2), v, 60, first)
        expected = dense_attention(q, k, v, 60)
        if first is not None:
            expected[1:] = dense_attention(q[1:], k[1:, :, 30:], v[1:, :, 30:], 60)
    assert torch.allclose(found, expected, atol=1e-5)

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.lm.tokens import pad_tokens
from tests.lm.conftest import random_tokens

CLOSE = {"atol": 2e-5, "rtol": 1e-4}


@settings(max_examples=20, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    padding=st.integers(0, 4),
    depth=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_cached_steps_equal_one_pass(small, cuts, padding, depth, seed):
    rows = random_tokens(small.config, 2, sum(cuts), seed)
    mask = torch.ones(rows.shape[:2], dtype=torch.bool)
    mask[0, : min(padding, cuts[0])] = False
    with torch.no_grad():
        whole, _ = small.temporal(rows, mask, None, depth)
        state, pieces = None, []
        for piece, real in zip(rows.split(cuts, 1), mask.split(cuts, 1), strict=True):
            hidden, state = small.temporal(piece, real, state, depth)
            pieces.append(hidden)
    assert state.length == rows.shape[1]
    torch.testing.assert_close(torch.cat(pieces, dim=1)[mask], whole[mask], **CLOSE)


@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_rows_of_a_padded_batch_equal_themselves_alone(small, lengths, seed):
    alone = [random_tokens(small.config, 1, n, seed + n)[0] for n in lengths]
    rows, mask = pad_tokens(alone, small.config)
    with torch.no_grad():
        together, _ = small.temporal(rows, mask)
        for index, each in enumerate(alone):
            hidden, _ = small.temporal(each[None])
            torch.testing.assert_close(together[index][mask[index]], hidden[0], **CLOSE)


def test_a_state_stays_valid_and_can_be_forked_and_selected(small):
    rows = random_tokens(small.config, 3, 6)
    with torch.no_grad():
        _, state = small.temporal(rows[:, :4])
        first, after = small.temporal(rows[:, 4:5], None, state)
        again, _ = small.temporal(rows[:, 4:5], None, state)
        assert torch.equal(first, again)
        assert (state.length, after.length) == (4, 5)
        both, _ = small.temporal(rows[:, 5:], None, after)
        some, _ = small.temporal(rows[[2, 0], 5:], None, after.select(torch.tensor([2, 0])))
    torch.testing.assert_close(some, both[[2, 0]], **CLOSE)


def test_channels_above_the_prefix_are_not_looked_at(small):
    rows = random_tokens(small.config, 1, 5)
    other = rows.clone()
    other[:, :, 3:] = (other[:, :, 3:] + 1) % 16
    with torch.no_grad():
        assert torch.equal(
            small.temporal(rows, num_quantizers=2)[0], small.temporal(other, num_quantizers=2)[0]
        )
        assert not torch.equal(
            small.temporal(rows, num_quantizers=3)[0], small.temporal(other, num_quantizers=3)[0]
        )


def test_there_is_no_unused_table_in_memory(small):
    assert not any("embed_tokens" in name for name, _ in small.named_parameters())


def test_recomputed_layers_give_the_same_gradients(small):
    rows, model = random_tokens(small.config, 2, 5), copy.deepcopy(small).train()
    weight = model.backbone.qwen3.layers[0].mlp.up_proj.weight

    def gradient():
        return torch.autograd.grad(model.loss(rows, rows).losses["loss"], weight)[0]

    plain = gradient()
    model.backbone.checkpoint_layers()
    assert all(layer.gradient_checkpointing for layer in model.backbone.qwen3.layers)
    torch.testing.assert_close(gradient(), plain)


def test_bad_shapes_are_refused(small):
    with pytest.raises(ValueError, match=r"\[B, T, 5\]"):
        small.temporal(torch.zeros(1, 3, 4, dtype=torch.int64))
    with pytest.raises(ValueError, match="mask must be bool"):
        small.temporal(random_tokens(small.config, 1, 3), torch.ones(1, 3))
    with pytest.raises(ValueError, match="num_quantizers must be from 1 to 4"):
        small.temporal(random_tokens(small.config, 1, 3), num_quantizers=5)

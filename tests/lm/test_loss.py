import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.lm.loss import IGNORED, combine
from tests.lm.conftest import random_tokens


@settings(max_examples=20, deadline=None)
@given(depth=st.integers(1, 3), seed=st.integers(0, 99))
def test_a_prefix_loss_does_not_depend_on_the_codes_above(small, depth, seed):
    rows = random_tokens(small.config, 2, 5, seed)
    labels = random_tokens(small.config, 2, 5, seed + 1)
    others = random_tokens(small.config, 2, 5, seed + 2)
    rows_too, labels_too = rows.clone(), labels.clone()
    rows_too[..., 1 + depth :] = others[..., 1 + depth :]
    labels_too[..., 1 + depth :] = IGNORED
    with torch.no_grad():
        one = small.loss(rows, labels, num_quantizers=depth)
        two = small.loss(rows_too, labels_too, num_quantizers=depth)
    assert torch.equal(one.per_channel, two.per_channel)
    assert one.per_channel.shape == (1 + depth,)
    assert one.losses["loss"] == one.per_channel.mean()


def test_the_loss_is_the_cross_entropy_of_all_supervised_logits(small):
    rows, labels = random_tokens(small.config, 2, 6), random_tokens(small.config, 2, 6, 1)
    labels[0, :3] = IGNORED
    labels[1, 2, 3] = IGNORED
    labels[0, 4, 2:] = IGNORED  # text and the first codebook: learnt apart from the deeper ones
    labels[1, 5, 1:] = IGNORED
    with torch.no_grad():
        hidden, _ = small.temporal(rows)
        text, audio = small.depth_logits(hidden.flatten(0, 1), labels.flatten(0, 1))
        flat = labels.flatten(0, 1)
        expected = [F.cross_entropy(text, flat[:, 0], ignore_index=IGNORED)]
        expected += [
            F.cross_entropy(audio[:, i], flat[:, i + 1], ignore_index=IGNORED) for i in range(4)
        ]
        found = small.loss(rows, labels)
    torch.testing.assert_close(found.per_channel, torch.stack(expected))
    assert found.targets.tolist() == [9, 8, 7, 6, 7]
    torch.testing.assert_close(found.losses["audio"], torch.stack(expected[1:]).mean())


def test_an_empty_channel_counts_as_zero_and_leaves_its_weight_out(small):
    rows, labels = random_tokens(small.config, 2, 5), random_tokens(small.config, 2, 5, 1)
    labels[..., 4] = IGNORED
    labels[..., 2] = IGNORED
    loss = small.loss(rows, labels, channel_weights=[1, 2, 9, 3, 9])
    channels = loss.per_channel.tolist()
    assert channels[2] == channels[4] == 0
    expected = (channels[0] + 2 * channels[1] + 3 * channels[3]) / 6
    assert loss.losses["loss"].item() == pytest.approx(expected, rel=1e-5)


def test_text_targets_alone_run_no_audio_head(small):
    rows, labels = random_tokens(small.config, 2, 5), random_tokens(small.config, 2, 5, 1)
    labels[..., 1:] = IGNORED
    loss = small.loss(rows, labels)
    weights = dict(small.named_parameters())
    head = weights["heads.channels.1.linear.weight"]
    assert torch.autograd.grad(loss.losses["loss"], head, allow_unused=True) == (None,)
    assert loss.losses["loss"] == loss.losses["text"]
    assert loss.losses["audio"] == 0


def test_a_batch_without_targets_has_loss_zero_and_finite_gradients(small):
    rows = random_tokens(small.config, 2, 5)
    loss = small.loss(rows, torch.full_like(rows, IGNORED)).losses["loss"]
    gradient = torch.autograd.grad(loss, small.embedding.tables[0].weight)[0]
    assert loss == 0
    assert bool((gradient == 0).all())


def test_bfloat16_stays_close_and_trains(small):
    rows, labels = random_tokens(small.config, 2, 5), random_tokens(small.config, 2, 5, 1)
    half = copy.deepcopy(small).bfloat16()
    loss = half.loss(rows, labels)
    loss.losses["loss"].backward()
    assert loss.per_channel.dtype == torch.float32
    assert loss.losses["loss"].item() == pytest.approx(
        small.loss(rows, labels).losses["loss"].item(), rel=0.05
    )
    gradients = [p.grad for p in half.parameters()]
    assert all(g is not None and bool(g.isfinite().all()) for g in gradients)


def test_a_few_steps_lower_the_loss(small):
    model = copy.deepcopy(small).train()
    rows, labels = random_tokens(small.config, 2, 5), random_tokens(small.config, 2, 5, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(8):
        loss = model.loss(rows, labels).losses["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="3 numbers"):
        combine(torch.ones(3), torch.ones(3), [1, 1])
    with pytest.raises(ValueError, match="at least 0"):
        combine(torch.ones(2), torch.ones(2), [1, -1])
    assert combine(torch.ones(2), torch.ones(2), [0, 0]).losses["loss"] == 0


def test_labels_must_have_the_shape_of_tokens(small):
    rows = random_tokens(small.config, 1, 4)
    with pytest.raises(ValueError, match="must have the shape of tokens"):
        small.loss(rows, rows[:, 1:])

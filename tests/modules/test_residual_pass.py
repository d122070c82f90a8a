"""The training pass of the quantizer against its reference, codebook by codebook."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.modules.residual_quantizer import ResidualQuantizer, ResidualQuantizerConfig


def quantizer(kind, seed=0):
    torch.manual_seed(seed)
    model = ResidualQuantizer(ResidualQuantizerConfig(24, 32, 6, 50, 8, kind))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() != 2:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def learn(model, run, latents, depth, mask):
    """The pass, and the gradients of a mix of all it gives, by name."""
    latents = latents.clone().requires_grad_()
    model.zero_grad()
    result = run(latents, depth, mask)
    mix = torch.randn(result.latents.shape, generator=torch.Generator().manual_seed(1))
    total = (result.latents * mix).sum() + result.losses["codebook"]
    total = total + 0.3 * result.losses["commitment"]
    total.backward()
    found = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return result, found | {"latents": latents.grad}


@pytest.mark.parametrize("kind", ["rlfq", "rvq"])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_equals_the_reference(kind, data):
    rows, frames = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 7))
    model = quantizer(kind, data.draw(st.integers(0, 3)))
    depth = data.draw(st.none() | st.integers(1, 6) | st.just("per row"))
    if depth == "per row":
        depth = torch.tensor([data.draw(st.integers(1, 6)) for _ in range(rows)])
    real = torch.tensor([data.draw(st.integers(0, frames)) for _ in range(rows)])
    mask = data.draw(st.sampled_from([None, torch.arange(frames) < real[:, None]]))
    latents = torch.randn(rows, 24, frames)
    mine, gradients = learn(model, model, latents, depth, mask)
    plain, expected = learn(model, model.reference, latents, depth, mask)
    assert torch.equal(mine.codes, plain.codes)
    for name in ("latents", "projected"):
        assert torch.allclose(getattr(mine, name), getattr(plain, name), atol=1e-5), name
    for name, loss in plain.losses.items():
        assert torch.allclose(mine.losses[name], loss, atol=1e-5), name
    for name, gradient in expected.items():
        assert torch.allclose(gradients.pop(name), gradient, atol=1e-4), name
    assert all(not rest.any() for rest in gradients.values())


def test_bfloat16_autocast_does_not_reach_it():
    model, latents = quantizer("rvq"), torch.randn(2, 24, 5)
    with torch.autocast("cpu", torch.bfloat16):
        inside = model(latents).latents
    assert torch.equal(inside, model(latents).latents)

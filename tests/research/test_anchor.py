"""A run that keeps codes near those of before: its recipe and its losses from outside."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from research.tiny.anchor import Anchor
from research.tiny.log_mel import LogMel

from catok import CausalAudioTokenizer
from catok.training.codec.losses.base import LossInputs
from catok.training.codec.losses.mel import MelLoss
from catok.training.codec.train_config import load_recipe

pytestmark = pytest.mark.slow

RECIPE = Path(__file__).parents[2] / "research/tiny/spectrum.toml"
RATE = 24_000


@pytest.fixture(scope="module")
def inputs() -> LossInputs:
    """What `tiny` itself makes of noise, with 4 and 32 codebooks."""
    tok = CausalAudioTokenizer.from_pretrained("tiny").float()
    audio = 0.1 * torch.randn(2, 1, 8 * tok.frame_size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        result = tok(audio, torch.tensor([4, 32]))
    edges, shares = torch.full((2,), 12_000.0), torch.tensor([4 / 32, 1.0])
    return LossInputs(result.audio, audio, edges, shares, result.quantized)


def test_the_recipe_weighs_both():
    weights = load_recipe(RECIPE).weights
    assert weights["python=research.tiny.anchor:Anchor"] > 0
    assert weights["python=research.tiny.log_mel:LogMel"] > 0


def test_the_anchor_is_the_distance_from_where_the_run_began(inputs):
    anchor = Anchor(RATE)
    assert float(anchor(inputs)) < 1e-9
    latents = inputs.quantized.latents
    moved = latents + latents.std() * torch.ones_like(latents)
    far = replace(inputs, quantized=replace(inputs.quantized, latents=moved))
    assert float(anchor(far)) == pytest.approx(1.0, rel=0.01)
    with pytest.raises(ValueError, match="24000"):
        Anchor(16_000)


def test_the_second_mel_loss_is_of_logarithms(inputs):
    loss = LogMel(RATE)
    drawn = [loss.draw(torch.Generator().manual_seed(seed)) for seed in range(40)]
    assert {len(scales) for scales in drawn} == {1} and len({s[0] for s in drawn}) == 7
    values = [float(loss(replace(inputs, choice=[scale]))) for scale in range(7)]
    whole = float(MelLoss(RATE)(inputs.output, inputs.target, inputs.band_edges))
    assert sum(values) / 7 == pytest.approx(whole, rel=1e-4)

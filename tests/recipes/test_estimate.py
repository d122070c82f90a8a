"""The cost estimate's counts agree with PyTorch's own, and with known sizes."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from catok import CausalAudioTokenizer, TokenizerConfig
from catok.training.codec.discriminators.ensemble import DiscriminatorConfig, Discriminators

pytestmark = pytest.mark.slow

RECIPES = Path(__file__).parents[2] / "recipes"
spec = importlib.util.spec_from_file_location("estimate", RECIPES / "24khz" / "estimate.py")
assert spec and spec.loader
estimate = importlib.util.module_from_spec(spec)
sys.modules["estimate"] = estimate
spec.loader.exec_module(estimate)


def test_codec_operations_are_those_that_pytorch_counts():
    tok = CausalAudioTokenizer(TokenizerConfig.preset("tiny"))
    seconds = 1.6
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        tok(torch.zeros(1, 1, round(seconds * 24_000)))
    ours = estimate.codec_operations(tok.to("meta"), seconds)
    # PyTorch counts the whole square of attention, we only what is on or below the diagonal
    assert ours == pytest.approx(counter.get_total_flops(), rel=0.05)


def test_discriminator_operations_are_those_that_pytorch_counts():
    config = DiscriminatorConfig.preset("small")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        Discriminators(config)(torch.zeros(1, 1, 4800))
    assert estimate.judge_counts(config, 4800, 1).operations == counter.get_total_flops()


def test_language_model_has_its_known_size():
    assert sum(estimate.semantic_sizes(estimate.QWEN)) == 494_032_768


@pytest.mark.parametrize("name", ["24khz", "nano"])
def test_prints_what_the_readme_shows(name, capsys):
    gpus = {"24khz": "64", "nano": "8"}[name]
    estimate.main([str(RECIPES / name / "train.toml"), "--gpus", gpus])
    printed = capsys.readouterr().out
    assert printed.strip() in (RECIPES / name / "README.md").read_text()

"""Every recipe loads, and the paper's recipe has the paper's numbers."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from catok import TokenizerConfig
from catok.training.codec.discriminators.ensemble import DiscriminatorConfig
from catok.training.codec.losses.mel import WINDOWS, MelLossConfig
from catok.training.codec.semantic.semantic_config import SemanticConfig
from catok.training.codec.train_config import load_recipe

pytestmark = pytest.mark.slow

RECIPES = Path(__file__).parents[2] / "recipes"
SPEECH = {RECIPES / "toy" / "asr.toml", RECIPES / "toy" / "tts.toml", *(RECIPES / "lm").rglob("*")}
FILES = sorted(set(RECIPES.rglob("*.toml")) - SPEECH)
ABLATIONS = RECIPES.parent / "research" / "tiny" / "ablations"


def ablation(name: str):
    return load_recipe(ABLATIONS / f"{name}.toml")


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(RECIPES)))
def test_every_recipe_loads(file):
    config = load_recipe(file)
    if config.architecture.endswith(".json"):
        sizes = json.loads((RECIPES.parent / config.architecture).read_text())
        TokenizerConfig.from_dict(sizes)
    else:
        TokenizerConfig.preset(config.architecture)
    DiscriminatorConfig.preset(config.gan.discriminators)


def test_the_papers_numbers():
    config = load_recipe(RECIPES / "24khz" / "train.toml")
    first, second = config.stages
    assert (first.steps, first.adversarial, first.freeze) == (520_000, False, ())
    assert (second.steps, second.adversarial, second.freeze) == (500_000, True, ())
    assert first.batch_size and second.batch_size
    devices = 64  # of the cluster that the recipe is written for
    assert devices * config.accumulate * first.batch_size == 1536
    assert devices * config.accumulate * second.batch_size == 768
    assert 1536 * config.data.crop_seconds / 3600 == pytest.approx(5, rel=0.05)
    used = {name: weight for name, weight in config.weights.items() if weight}
    assert used == {
        "semantic": 20.0,
        "mel": 15.0,
        "commitment": 0.25,
        "codebook": 1.0,
        "adversarial": 1.0,
        "feature": 2.0,
    }
    assert config.mel.windows == WINDOWS == tuple(2**i for i in range(5, 12))
    assert config.mel.scales_per_step is None
    assert (config.quantizer_dropout.probability, config.quantizer_dropout.lengths) == (1.0, ())
    assert config.semantic == SemanticConfig.preset("qwen2.5-0.5b", gradient_checkpointing=True)
    assert config.autocast and config.initialize == "random" and config.revival.after == 0


def test_other_clusters_keep_their_products():
    for name, devices, rows in (("v2", 64, [1536, 768]), ("nano", 8, [128, 64])):
        config = load_recipe(RECIPES / name / "train.toml")
        products = [devices * config.accumulate * (s.batch_size or 0) for s in config.stages]
        assert products == rows


def test_ablations_differ_from_the_full_recipe_in_one_thing():
    full = ablation("full").to_dict()
    changed = {
        "no_adversarial": {"stages"},
        "no_semantic": {"weights"},
        "no_dropout": {"quantizer_dropout"},
        "partial": {"stages"},
        "encodec_mel": {"mel"},
        "random_init": {"initialize"},
    }
    for name, keys in changed.items():
        other = ablation(name).to_dict()
        assert {key for key in full if full[key] != other[key]} == keys, name
    assert {file.stem for file in ABLATIONS.glob("*.toml")} == {"full", *changed}


def test_ablations_are_what_they_say():
    mini = SemanticConfig.preset("mini", max_text_tokens=256)
    assert ablation("full").semantic == mini
    encodec = asdict(MelLossConfig.encodec()) | {"scales_per_step": 3}
    assert asdict(ablation("encodec_mel").mel) == encodec
    assert not any(stage.adversarial for stage in ablation("no_adversarial").stages)

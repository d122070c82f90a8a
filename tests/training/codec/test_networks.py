from dataclasses import replace

import pytest
import torch

from catok import CausalAudioTokenizer, TokenizerConfig
from catok.training.codec.discriminators.ensemble import Discriminators
from catok.training.codec.networks import build_codec_networks
from catok.training.codec.semantic.head import SemanticHead
from catok.training.codec.semantic.semantic_config import SemanticConfig
from catok.training.codec.train_config import GanConfig, TrainStage

from ..conftest import CONFIG, EVERYTHING, TOY_DISCRIMINATORS, same


@pytest.fixture
def published(tmp_path, small_model):
    """A model folder with discriminators and a semantic head."""
    torch.manual_seed(5)
    folder = tmp_path / "model"
    small_model.save_pretrained(folder)
    discriminators = Discriminators(TOY_DISCRIMINATORS)
    discriminators.save_pretrained(folder / "discriminators")
    head = SemanticHead(SemanticConfig.preset("mini"), 16)
    head.save_pretrained(folder / "semantic")
    return folder, discriminators, head


def test_only_what_the_recipe_has():
    made = build_codec_networks(CONFIG)
    assert made.is_new and made.discriminators is None and made.semantic is None
    made = build_codec_networks(EVERYTHING)
    assert made.discriminators.config == TOY_DISCRIMINATORS and made.semantic.latent_dim == 16


def test_a_folder_brings_its_companions_along(published, small_model):
    folder, discriminators, head = published
    made = build_codec_networks(replace(EVERYTHING, init_from=str(folder)))
    assert not made.is_new and same(made.codec.state_dict(), small_model.state_dict())
    assert same(made.discriminators.state_dict(), discriminators.state_dict())
    assert same(made.semantic.state_dict(), head.state_dict())
    made = build_codec_networks(replace(CONFIG, init_from=str(folder)))
    assert made.discriminators is None and made.semantic is None


def test_discriminators_from_a_folder_of_their_own(published, tmp_path):
    folder, _, _ = published
    torch.manual_seed(6)
    others = Discriminators(TOY_DISCRIMINATORS)
    others.save_pretrained(tmp_path / "others")
    config = replace(EVERYTHING, init_from=str(folder), gan=GanConfig(str(tmp_path / "others")))
    assert same(build_codec_networks(config).discriminators.state_dict(), others.state_dict())


def test_the_name_of_a_preset_is_that_preset_and_dot_slash_a_folder(
    tmp_path, monkeypatch, small_model
):
    small_model.save_pretrained(tmp_path / "small")
    others = Discriminators(replace(TOY_DISCRIMINATORS, periods=(3,)))
    others.save_pretrained(tmp_path / "toy")
    others.save_pretrained(tmp_path / "small" / "discriminators")
    monkeypatch.chdir(tmp_path)
    made = build_codec_networks(EVERYTHING)
    assert made.is_new and made.discriminators.config == TOY_DISCRIMINATORS
    gan = replace(EVERYTHING.gan, discriminators="./toy")
    made = build_codec_networks(replace(EVERYTHING, init_from="./small", gan=gan))
    assert same(made.codec.state_dict(), small_model.state_dict())
    assert made.discriminators.config == others.config


def test_an_embedded_model_is_trained_and_its_architecture_is_not():
    made = build_codec_networks(replace(CONFIG, init_from="tiny"))
    assert not made.is_new
    assert made.codec.weight_hash == CausalAudioTokenizer.from_pretrained("tiny").weight_hash
    made = build_codec_networks(replace(CONFIG, architecture="tiny"))
    assert made.is_new and made.codec.config == TokenizerConfig.preset("tiny")


def test_unknown_names(tmp_path, small_model):
    with pytest.raises(ValueError, match="'smal' is neither a preset.*nor a .json"):
        build_codec_networks(replace(CONFIG, architecture="smal"))
    with pytest.raises(ValueError, match="no folder 'smal'"):
        build_codec_networks(replace(CONFIG, init_from="smal"))
    small_model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is a trained model: init_from"):
        build_codec_networks(replace(CONFIG, architecture=str(tmp_path)))
    stages = (TrainStage(1, adversarial=True),)
    with pytest.raises(ValueError, match="no preset called 'many'"):
        build_codec_networks(replace(CONFIG, stages=stages, gan=GanConfig("many")))

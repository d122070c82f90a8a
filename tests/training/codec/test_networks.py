from dataclasses import replace

import pytest
import torch

from catok.training.codec.config import AdversaryConfig, TrainStage
from catok.training.codec.discriminators.ensemble import Discriminators
from catok.training.codec.networks import build_networks
from catok.training.codec.semantic.config import SemanticConfig
from catok.training.codec.semantic.head import SemanticHead

from ..conftest import CONFIG, EVERYTHING, TOY_JUDGES, same


@pytest.fixture
def published(tmp_path, small_model):
    """A model folder with discriminators and a semantic head."""
    torch.manual_seed(5)
    folder = tmp_path / "model"
    small_model.save_pretrained(folder)
    judges = Discriminators(TOY_JUDGES)
    judges.save_pretrained(folder / "discriminators")
    head = SemanticHead(SemanticConfig.preset("mini"), 16)
    head.save_pretrained(folder / "semantic")
    return folder, judges, head


def test_only_what_the_recipe_has():
    made = build_networks(CONFIG)
    assert made.is_new and made.judges is None and made.semantic is None
    made = build_networks(EVERYTHING)
    assert made.judges.config == TOY_JUDGES and made.semantic.latent_dim == 16


def test_a_folder_brings_its_companions_along(published, small_model):
    folder, judges, head = published
    made = build_networks(replace(EVERYTHING, tokenizer=str(folder)))
    assert not made.is_new and same(made.codec.state_dict(), small_model.state_dict())
    assert same(made.judges.state_dict(), judges.state_dict())
    assert same(made.semantic.state_dict(), head.state_dict())
    made = build_networks(replace(CONFIG, tokenizer=str(folder)))
    assert made.judges is None and made.semantic is None


def test_discriminators_from_a_folder_of_their_own(published, tmp_path):
    folder, _, _ = published
    torch.manual_seed(6)
    others = Discriminators(TOY_JUDGES)
    others.save_pretrained(tmp_path / "others")
    config = replace(
        EVERYTHING, tokenizer=str(folder), adversary=AdversaryConfig(str(tmp_path / "others"))
    )
    assert same(build_networks(config).judges.state_dict(), others.state_dict())


def test_the_name_of_a_preset_is_that_preset_and_dot_slash_a_folder(
    tmp_path, monkeypatch, small_model
):
    small_model.save_pretrained(tmp_path / "small")
    others = Discriminators(replace(TOY_JUDGES, periods=(3,)))
    others.save_pretrained(tmp_path / "toy")
    others.save_pretrained(tmp_path / "small" / "discriminators")
    monkeypatch.chdir(tmp_path)
    made = build_networks(EVERYTHING)
    assert made.is_new and made.judges.config == TOY_JUDGES
    adversary = replace(EVERYTHING.adversary, discriminators="./toy")
    made = build_networks(replace(EVERYTHING, tokenizer="./small", adversary=adversary))
    assert same(made.codec.state_dict(), small_model.state_dict())
    assert made.judges.config == others.config


def test_unknown_names(tmp_path):
    with pytest.raises(ValueError, match="'smal' is no model folder.*no preset called"):
        build_networks(replace(CONFIG, tokenizer="smal"))
    stages = (TrainStage(1, adversarial=True),)
    with pytest.raises(ValueError, match="no preset called 'many'"):
        build_networks(replace(CONFIG, stages=stages, adversary=AdversaryConfig("many")))

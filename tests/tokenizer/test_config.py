import json

import pytest
import torch

from catok import CausalAudioTokenizer, TokenizerConfig
from tests.conftest import small_settings

PARAMETERS = {  # published counts, `docs/spec/checkpoints.md` (a)
    "24khz": (1_774_566_400, 1600),
    "nano": (21_969_664, 374),
    "v2": (2_123_701_248, 2094),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PARAMETERS)
def test_presets_have_the_published_parameters(name):
    with torch.device("meta"):
        model = CausalAudioTokenizer(TokenizerConfig.preset(name))
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert (counted, len(model.state_dict())) == PARAMETERS[name]
    assert model.frame_rate == 12.5
    windows = [stage.window for stage in model.encoder if hasattr(stage, "window")]
    seconds = {"24khz": (1000, 500, 250, 125), "nano": (1600, 1200, 800, 500)}
    assert tuple(windows) == seconds.get(name, (400, 400, 400, 400, 250, 125))


def test_tiny_has_the_full_structure_in_about_ten_million():
    with torch.device("meta"):
        model = CausalAudioTokenizer(TokenizerConfig.preset("tiny"))
    assert 8e6 < sum(parameter.numel() for parameter in model.parameters()) < 12e6
    assert (model.sample_rate, model.channels, model.num_quantizers) == (24_000, 1, 32)
    assert (model.frame_size, model.codebook_size) == (1920, 1024)


@pytest.mark.parametrize("name", [*PARAMETERS, "tiny"])
def test_a_config_survives_json(name):
    config = TokenizerConfig.preset(name)
    assert TokenizerConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_the_decoder_mirrors_the_encoder_unless_given():
    config = TokenizerConfig.from_dict(small_settings())
    assert [getattr(s, "size", 0) for s in config.decoder] == [0, 2, 0, 2, 0, 2, 0, 240]
    assert config.decoder[0].input_dim == config.quantizer.input_dim


def changed(**changes):
    return small_settings() | changes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (changed(colour="red"), r"unknown keys in tokenizer: \['colour'\]"),
        (changed(quantizer={"input_dim": 16, "size": 3}), "unknown keys in tokenizer.quantizer"),
        (changed(quantizer={"input_dim": 17}), "encoder ends with 16 channels where 17"),
        (changed(encoder=[{"size": 240}]), "encoder ends with 240 channels"),
        (changed(decoder=[{"size": 240}]), "decoder unfolds 240 steps per frame"),
        (changed(sample_rate=0), "at least 1"),
        (changed(channels=7), "whole samples of 7 channels"),
        (changed(sample_rate=10**9), "at most 1000000"),
        (changed(channels=1000), "at most 64"),
        (changed(encoder=[{"size": 1}] * 100), "at most 64 stages"),
    ],
)
def test_impossible_configs_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        TokenizerConfig.from_dict(settings)


def test_a_stage_that_does_not_fit_its_neighbour_is_named():
    settings = small_settings()
    settings["encoder"][3]["input_dim"] = 33
    with pytest.raises(ValueError, match="encoder stage 3 takes 33 channels but is given 32"):
        TokenizerConfig.from_dict(settings)


def test_a_name_is_no_configuration():
    with pytest.raises(ValueError, match="got 'tiny': from_pretrained loads a model"):
        CausalAudioTokenizer("tiny")


def test_unknown_presets_list_the_known():
    with pytest.raises(ValueError, match=r"known are \['24khz', 'nano', 'tiny', 'v2'\]"):
        TokenizerConfig.preset("huge")

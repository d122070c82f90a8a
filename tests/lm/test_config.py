import dataclasses

import pytest
import torch

from catok.lm.config import LanguageConfig, TokenLMConfig
from catok.lm.model import TokenLM
from tests.lm.conftest import small_config


def parameters(config):
    with torch.device("meta"):
        return sum(p.numel() for p in TokenLM(config).parameters())


def test_the_released_preset_is_the_default_and_has_the_released_size():
    config = TokenLMConfig.preset("1.7b")
    assert config == TokenLMConfig()
    unused = config.vocab_size * config.width
    assert parameters(config) + unused == 3_037_799_936


@pytest.mark.parametrize(
    ("name", "millions"),
    [("small", 15.6), ("mini", 2.2), ("tts-small", 9.4), ("asr-small", 5.2)],
)
def test_small_presets_have_the_sizes_they_say(name, millions):
    assert parameters(TokenLMConfig.preset(name)) / 1e6 == pytest.approx(millions, abs=0.1)


def test_dictionaries_are_read_back_strictly():
    config = small_config()
    assert TokenLMConfig.from_dict(config.to_dict()) == config
    with pytest.raises(ValueError, match="unknown keys.*depth_layers"):
        TokenLMConfig.from_dict({"depth_layers": 2})
    with pytest.raises(ValueError, match="no preset called"):
        TokenLMConfig.preset("huge")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audio_pad_code": 3}, "code after the last"),
        ({"local_num_layers": 3}, "no more depth"),
        ({"im_end_token_id": 1}, "must differ"),
        ({"pad_token_id": 264}, "below vocab_size 264"),
        ({"n_vq": 0}, "n_vq must be above 0"),
        ({"initializer_range": float("nan")}, "initializer_range must be a finite number"),
        ({"text_rate": float("nan")}, "text_rate must be a finite number"),
    ],
)
def test_bad_values_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        small_config(**changes)


def test_bad_heads_are_refused():
    with pytest.raises(ValueError, match="evenly"):
        LanguageConfig(num_attention_heads=3, num_key_value_heads=2)
    with pytest.raises(ValueError, match="even"):
        dataclasses.replace(LanguageConfig(), head_dim=7)

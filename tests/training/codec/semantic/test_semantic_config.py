import pytest
import torch

from catok.io.config import read_config
from catok.training.codec.semantic.head import SemanticHead
from catok.training.codec.semantic.semantic_config import PRESETS, SemanticConfig
from tests.training.codec.semantic.conftest import SIZES


def size(module):
    return sum(p.numel() for p in module.parameters())


def test_scratch_has_the_size_of_qwen():
    config = SemanticConfig.preset("qwen2.5-0.5b-scratch", text="bytes", text_model="")
    with torch.device("meta"):
        head = SemanticHead(config, 768)
    assert size(head.language_model) == 494_032_768  # as the hub counts Qwen2.5-0.5B
    assert size(head) == 494_032_768 + 3 * 896 + 768 * 896 + 896


@pytest.mark.parametrize(("name", "low", "high"), [("small", 3e6, 5e6), ("mini", 3e5, 1e6)])
def test_sizes_of_the_small_presets(name, low, high):
    with torch.device("meta"):
        assert low < size(SemanticHead(SemanticConfig.preset(name), 768)) < high


def test_from_plain_data():
    given = {**SIZES, "tasks": ["asr"], "max_text_tokens": 9}
    assert read_config(SemanticConfig, given, "semantic").tasks == ("asr",)
    with pytest.raises(ValueError, match="unknown keys in semantic.*hidden_sizes"):
        read_config(SemanticConfig, {"hidden_sizes": 1}, "semantic")


def test_presets():
    assert SemanticConfig.preset("qwen2.5-0.5b").language_model == "Qwen/Qwen2.5-0.5B"
    assert SemanticConfig.preset("mini", tasks=("caption",)).tasks == ("caption",)
    assert all(config.max_text_tokens > 0 for config in PRESETS.values())
    with pytest.raises(ValueError, match="no preset called 'big'"):
        SemanticConfig.preset("big")
    with pytest.raises(ValueError, match="unknown keys.*layer"):
        SemanticConfig.preset("mini", layer=3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": 0}, "layers"),
        ({"vocab_size": -1}, "vocab_size"),
        ({"heads": 3}, "multiple of 2 . heads"),
        ({"hidden_size": 24, "heads": 4, "key_value_heads": 3}, "key_value_heads"),
        ({"language_model": "x/y"}, "leave out"),
        ({"text": "words"}, "text must be"),
        ({"text": "model"}, "needs a text_model"),
        ({"text_model": "x/y"}, "leave it empty"),
        ({"max_text_tokens": 0}, "max_text_tokens"),
        ({"tasks": ()}, "tasks"),
        ({"tasks": ("asr", "asr")}, "tasks"),
    ],
)
def test_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SemanticConfig(**(SIZES | changes))


def test_a_table_too_small_for_the_text():
    with pytest.raises(ValueError, match="knows 200 tokens.*has 258"):
        SemanticHead(SemanticConfig(**SIZES, vocab_size=200), 4)
    with pytest.raises(ValueError, match="latent_dim"):
        SemanticHead(SemanticConfig(**SIZES), 0)

"""The layout of the class proposed for transformers: written, read back, and what it means."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaRotaryEmbedding

from catok import CausalAudioTokenizer, TokenizerConfig
from catok.hf import CatokConfig, CatokModel
from catok.modules.attention import WindowMasks
from catok.tokenizer.native import from_native, to_native
from tests.conftest import build, small_settings
from tests.tokenizer.test_golden import GOLDEN


@pytest.fixture(scope="module")
def golden():
    return CausalAudioTokenizer.from_pretrained(GOLDEN / "mono-a")


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(1, 1, samples, generator=torch.Generator().manual_seed(seed))


def test_codes_and_sound_are_equal_to_the_bit_after_both_ways(golden, tmp_path):
    golden.save_pretrained(tmp_path, layout="transformers")
    loaded = CausalAudioTokenizer.from_pretrained(tmp_path)
    assert loaded.config == golden.config
    audio = noise(70_001)
    codes = golden.encode(audio).codes
    assert torch.equal(loaded.encode(audio).codes, codes)
    assert torch.equal(loaded.decode(codes), golden.decode(codes))
    before, after = golden.state_dict(), loaded.state_dict()
    assert before.keys() == after.keys()
    for name in before:
        if not name.startswith("quantizer."):
            assert torch.equal(before[name], after[name]), name
    for mine, other in zip(golden.quantizer.codebooks, loaded.quantizer.codebooks, strict=True):
        assert torch.equal(mine.in_proj.weight, other.in_proj.weight)
    loaded.save_pretrained(tmp_path / "again", layout="transformers")
    first, again = (load_file(f / "model.safetensors") for f in (tmp_path, tmp_path / "again"))
    assert first.keys() == again.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_the_files_are_as_the_class_names_them(golden, tmp_path):
    golden.save_pretrained(tmp_path, layout="transformers")
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model_type"] == "moss_audio_tokenizer" and "catok" not in config
    assert config["downsampling_ratios"] == [240, 2, 2, 2]
    assert config["sliding_window_duration"] == 10.0
    assert config["quantizer_config"]["n_codebooks"] == 32
    assert len(config["hidden_sizes"]) == len(config["num_hidden_layers"]) == 4
    names = set(load_file(tmp_path / "model.safetensors"))
    block = "encoder.layers.1.transformer.layers.0"
    assert {
        *(f"{block}.self_attn.{letter}_proj.weight" for letter in "qkvo"),
        f"{block}.self_attn_layer_norm.weight",
        f"{block}.final_layer_norm.bias",
        f"{block}.fc1.weight",
        f"{block}.fc2.weight",
        f"{block}.layer_scale_1.lambda1",
        f"{block}.layer_scale_2.lambda1",
        "encoder.layers.1.input_proj.weight",
        "decoder.layers.6.output_proj.weight",
        "quantizer.input_proj.weight",
        "quantizer.output_proj.bias",
        "quantizer.quantizers.31.in_proj.weight",
        "quantizer.quantizers.0.codebook.weight",
        "quantizer.quantizers.0.out_proj.bias",
    } <= names
    assert not any("parametrizations" in name or "attn.in_proj" in name for name in names)
    extractor = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert extractor["hop_length"] == 1920


def test_attention_of_transformers_gives_the_same_with_these_weights(golden):
    """Rotary pairs half a head apart, as in Llama, from whom the class has its attention."""
    stage = golden.encoder[1]
    attention = stage.transformer.layers[0].self_attn
    width, heads = stage.config.width, stage.config.heads
    native = to_native(golden.state_dict(), golden.config)
    config = LlamaConfig(
        hidden_size=width,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=width // heads,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        attn_implementation="eager",
    )
    theirs = LlamaAttention(config, 0)
    prefix = "encoder.layers.1.transformer.layers.0.self_attn."
    own = {name.removeprefix(prefix): t for name, t in native.items() if name.startswith(prefix)}
    theirs.load_state_dict(own)
    x = torch.randn(1, 40, width, generator=torch.Generator().manual_seed(0))
    positions = torch.arange(40)[None]
    rotary = LlamaRotaryEmbedding(config)(x, positions)
    future = torch.full((40, 40), float("-inf")).triu(1)[None, None]
    with torch.no_grad():
        found, _ = theirs(x, position_embeddings=rotary, attention_mask=future)
        masks = WindowMasks(40, 0, 40, like=x)
        expected = attention(x, stage._rotation(positions[0]), masks)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_half_a_model_and_other_dtypes(golden, tmp_path):
    golden.save_pretrained(tmp_path, layout="transformers", dtype="bfloat16")
    half = CausalAudioTokenizer.from_pretrained(tmp_path, part="decoder", dtype="bfloat16")
    codes = golden.encode(noise(20_000)).codes
    whole = CausalAudioTokenizer.from_pretrained(tmp_path, dtype="bfloat16")
    assert torch.equal(half.decode(codes), whole.decode(codes))
    assert torch.equal(whole.embed(codes), golden.embed(codes))  # the quantizer stays float32


def test_the_class_of_catok_loads_it(golden, tmp_path):
    golden.save_pretrained(tmp_path, layout="transformers")
    model = CatokModel.from_pretrained(tmp_path)
    audio = noise(9600)
    assert torch.equal(model.encode(audio).audio_codes, golden.encode(audio).codes)
    assert CatokConfig.from_pretrained(tmp_path).tokenizer_config == golden.config


def test_the_inverse_is_exact(golden):
    state, config = golden.state_dict(), golden.config
    twice = to_native(from_native(to_native(state, config), config), config)
    once = to_native(state, config)
    assert once.keys() == twice.keys()
    assert all(torch.equal(once[name], twice[name]) for name in once)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"channels": 2}, "several channels"),
        ({"always_project": True}, "projections where none are needed"),
        ({"quantizer": {"input_dim": 16, "inner_dim": 16, "kind": "rvq"}}, "quantizer is 'rvq'"),
    ],
)
def test_what_the_class_cannot_be_is_refused(changes, reason, tmp_path):
    settings = small_settings(**changes)
    with pytest.raises(ValueError, match=reason):
        build(settings).save_pretrained(tmp_path, layout="transformers")
    assert not list(tmp_path.iterdir())
    settings = small_settings(always_project=True)
    settings["encoder"][1]["window"] = 0.8
    with pytest.raises(ValueError, match="different windows"):
        build(settings).save_pretrained(tmp_path, layout="transformers")
    with pytest.raises(ValueError, match="layout must be"):
        build(small_settings()).save_pretrained(tmp_path, layout="native")


def test_damaged_configurations_are_refused(golden, tmp_path):
    golden.save_pretrained(tmp_path, layout="transformers")
    whole = json.loads((tmp_path / "config.json").read_text())
    for changes, reason in (
        ({"hidden_sizes": [64]}, "one size per stage"),
        ({"sampling_rate": "x"}, "sampling_rate"),
        ({"quantizer_config": {"n_codebooks": "many"}}, "num_quantizers must be int"),
        (
            {"quantizer_config": whole["quantizer_config"] | {"n_codebooks": 16}},
            "do not belong to this configuration",
        ),
    ):
        (tmp_path / "config.json").write_text(json.dumps(whole | changes))
        with pytest.raises(ValueError, match=reason):
            CausalAudioTokenizer.from_pretrained(tmp_path)
    whole.pop("sliding_window_duration")
    (tmp_path / "config.json").write_text(json.dumps(whole))
    with pytest.raises(ValueError, match="lacks 'sliding_window_duration'"):
        CausalAudioTokenizer.from_pretrained(tmp_path)


def test_presets_of_one_window_can_be_it():
    from catok.tokenizer.native import read_native_config, write_native_config

    config = TokenizerConfig.preset("24khz")
    assert read_native_config(write_native_config(config)) == config

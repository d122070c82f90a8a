import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from catok.lm.config import LanguageConfig, TokenLMConfig
from catok.lm.model import TokenLM
from catok.lm.released import TEXT_TABLE, UNUSED, read_qwen3_config, released_tensors
from tests.lm.conftest import GOLDEN, build, small_config


def released_copy(folder, change=lambda data: None, tensors=None):
    """The golden folder again, with another config.json or other tensors."""
    data = json.loads((GOLDEN / "config.json").read_text())
    change(data)
    (folder / "config.json").write_text(json.dumps(data))
    save_file(tensors or load_file(GOLDEN / "model.safetensors"), folder / "model.safetensors")
    return folder


def test_saving_gives_the_released_names_and_shapes_back(golden, tmp_path):
    golden.save_pretrained(tmp_path)
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (tmp_path, GOLDEN))
    assert {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in theirs.items()}
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs if name != UNUSED)
    assert torch.equal(ours[UNUSED], ours[TEXT_TABLE])
    written = json.loads((tmp_path / "config.json").read_text())
    released = json.loads((GOLDEN / "config.json").read_text())
    for key in released.keys() - {"auto_map", "language_config"}:
        assert written[key] == released[key]
    again = TokenLM.from_pretrained(tmp_path)
    assert again.config == golden.config
    del written["catok"]
    (tmp_path / "config.json").write_text(json.dumps(written))
    assert TokenLM.from_pretrained(tmp_path).config == golden.config


def test_a_saved_model_computes_the_same(tmp_path):
    model = build(small_config())
    model.save_pretrained(tmp_path)
    again = TokenLM.from_pretrained(tmp_path)
    rows = torch.randint(16, (1, 5, 5))
    with torch.no_grad():
        assert torch.equal(model.temporal(rows)[0], again.temporal(rows)[0])
    assert again.config == model.config
    half = TokenLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}
    model.save_pretrained(tmp_path / "half", dtype=torch.float16)
    assert load_file(tmp_path / "half" / "model.safetensors")[UNUSED].dtype == torch.float16


def test_sharded_folders_and_missing_unused_tables_load(tmp_path, golden):
    tensors = load_file(GOLDEN / "model.safetensors")
    del tensors[UNUSED]
    names = sorted(tensors)
    shards = {"model-00001-of-00002.safetensors": names[::2]}
    shards["model-00002-of-00002.safetensors"] = names[1::2]
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, tmp_path / file)
    index = {name: file for file, part in shards.items() for name in part}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    (tmp_path / "config.json").write_text((GOLDEN / "config.json").read_text())
    loaded = TokenLM.from_pretrained(tmp_path).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in golden.state_dict().items())


def test_rope_theta_may_stand_in_either_place_and_keys_may_be_missing(tmp_path):
    def change(data):
        language = data["language_config"]
        language["rope_parameters"] = {"rope_type": "default", "rope_theta": 5000.0}
        del language["rope_theta"], language["vocab_size"], language["rms_norm_eps"]
        del data["sampling_rate"], data["initializer_range"]
        data["gen_token_id"] = 99

    config = TokenLM.from_pretrained(released_copy(tmp_path, change)).config
    assert config.language_config.rope_theta == 5000.0
    assert config.vocab_size == 300
    assert config.sampling_rate == 24_000
    assert read_qwen3_config({"rope_theta": 7.0})["rope_theta"] == 7.0
    assert LanguageConfig(**read_qwen3_config({})) == LanguageConfig()


def test_rope_theta_changes_what_is_computed(tmp_path, golden):
    def change(data):
        data["language_config"]["rope_theta"] = 100.0

    other = TokenLM.from_pretrained(released_copy(tmp_path, change))
    rows = torch.randint(64, (1, 9, 33))
    with torch.no_grad():
        assert not torch.allclose(other.temporal(rows)[0], golden.temporal(rows)[0], atol=1e-3)


LOCAL = ("local_num_layers", "local_hidden_size", "local_ffn_hidden_size")


def without_local_keys(data):
    for key in (*LOCAL, "additional_mlp_ffn_hidden_size"):
        del data[key]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.update(model_type="moss_tts_local"), "v1.5"),
        (lambda data: data.update(model_type="speech_tokenizer"), "is an audio tokenizer"),
        (lambda data: data.update(n_vq=31), "unknown tensors"),
        (lambda data: data.update(local_hidden_size=56), "wrongly shaped"),
        (lambda data: data.update(audio_pad_code=1), "code after the last"),
        (
            lambda data: data.update(catok={"format": 1, "tokenizer": {}}),
            "is an audio tokenizer, not a speech language model",
        ),
        (lambda data: data.update(catok={"format": 9, "token_lm": {}}), "newer catok"),
        (lambda data: data["language_config"].update(use_sliding_window=True), "sliding_window"),
        (lambda data: data["language_config"].update(rope_scaling={"type": "yarn"}), "rope_sca"),
    ],
)
def test_other_models_and_variants_are_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        TokenLM.from_pretrained(released_copy(tmp_path, change))


def test_delay_and_local_models_are_told_apart_by_keys_or_tensors(tmp_path):
    def bare(data):
        without_local_keys(data)
        data["model_type"] = "moss_tts_delay"

    tensors = load_file(GOLDEN / "model.safetensors")
    with pytest.raises(ValueError, match="wrongly shaped"):  # local by its tensors: default sizes
        TokenLM.from_pretrained(released_copy(tmp_path, bare, tensors))
    delay = {n: t for n, t in tensors.items() if not n.startswith("local_transformer.")}
    with pytest.raises(ValueError, match="Delay model"):
        TokenLM.from_pretrained(released_copy(tmp_path, bare, delay))


def test_damaged_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no config.json"):
        TokenLM.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="not valid JSON"):
        TokenLM.from_pretrained(tmp_path)
    folder = released_copy(tmp_path)
    (folder / "model.safetensors").write_bytes(b"short")
    with pytest.raises(ValueError, match="cannot be read"):
        TokenLM.from_pretrained(folder)
    with pytest.raises(ValueError, match="dtype must be"):
        TokenLM.from_pretrained(folder, dtype=torch.int8)


def test_the_released_names_are_all_there():
    with torch.device("meta"):
        state = TokenLM(TokenLMConfig()).state_dict()
    names = released_tensors(state)
    assert len(names) == 556
    assert names["local_transformer.layers.3.self_attn.o_proj.weight"].shape == (1536, 2048)
    assert names["local_to_speech_embedding_mlps.32.gate_proj.weight"].shape == (2048, 1536)
    assert names["lm_heads.0.weight"].shape == (151_936, 2048)

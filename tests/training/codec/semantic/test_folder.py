import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, Qwen2ForCausalLM

from catok.training.codec.semantic.head import SemanticHead
from catok.training.codec.semantic.semantic_config import SemanticConfig
from tests.training.codec.semantic.conftest import DIM, build_head, noise

BATCH = (noise(2, DIM, 5), torch.tensor([5, 3]), ["the cat", "x"], ["asr", "caption"])


def same_weights(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def test_round_trip(tmp_path, head, no_network):
    (tmp_path / "config.json").write_text("the tokenizer's")
    head.save_pretrained(tmp_path)
    loaded = SemanticHead.from_pretrained(tmp_path)
    assert loaded.config == head.config and same_weights(loaded, head)
    assert torch.equal(loaded(*BATCH).loss, head(*BATCH).loss)
    model = loaded.language_model
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert (tmp_path / "config.json").read_text() == "the tokenizer's"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["config.json", "semantic.json", "semantic.safetensors"]
    stored = load_file(tmp_path / "semantic.safetensors")
    assert "language_model.lm_head.weight" not in stored  # tied
    head.save_pretrained(tmp_path, dtype=torch.float16)
    half = load_file(tmp_path / "semantic.safetensors")
    assert all(torch.equal(half[name], weight.half()) for name, weight in stored.items())
    kinds = {weight.dtype for weight in SemanticHead.from_pretrained(tmp_path).parameters()}
    assert kinds == {torch.float32}


def test_a_local_language_model(tmp_path, model_folder, no_network):
    original = tmp_path / "original"
    shutil.copytree(model_folder, original)
    config = SemanticConfig(language_model=str(original), text="model")
    head = SemanticHead(config, DIM)
    expected = Qwen2ForCausalLM.from_pretrained(model_folder).float()
    assert same_weights(head.language_model, expected)
    assert {p.dtype for p in head.parameters()} == {torch.float32}
    assert all(module.training for module in head.modules())
    reference = AutoTokenizer.from_pretrained(model_folder)
    assert head.text.encode("the cat sat") == reference.encode("the cat sat")
    assert head(*BATCH).text_tokens == 3 + 1 + 1 + 1

    head.save_pretrained(tmp_path / "head")
    assert (
        str(original)
        not in (tmp_path / "head" / "semantic_text").joinpath("tokenizer_config.json").read_text()
    )
    shutil.rmtree(original)
    loaded = SemanticHead.from_pretrained(tmp_path / "head")
    assert same_weights(loaded, head)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert loaded.language_model.config.rope_parameters["rope_theta"] == 500_000
    assert torch.equal(loaded(*BATCH).loss, head(*BATCH).loss)
    assert loaded.transcribe(*BATCH[:2], "asr", 5) == head.transcribe(*BATCH[:2], "asr", 5)
    loaded.save_pretrained(tmp_path / "again")
    assert same_weights(SemanticHead.from_pretrained(tmp_path / "again"), head)


def test_scratch_with_a_models_text(model_folder):
    head = build_head(text="model", text_model=str(model_folder))
    assert head.language_model.config.vocab_size == head.text.vocab_size == 261


def test_unusable_language_models(tmp_path, model_folder, no_network):
    with pytest.raises(ValueError, match="cannot read a language model"):
        SemanticHead(SemanticConfig(language_model=str(tmp_path)), DIM)
    folder = tmp_path / "other"
    shutil.copytree(model_folder, folder)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in weights.items() if "norm" not in name},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(ValueError, match="missing tensors"):
        SemanticHead(SemanticConfig(language_model=str(folder)), DIM)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"model_type": "gpt2"}))
    with pytest.raises(ValueError, match="'gpt2' is none of"):
        SemanticHead(SemanticConfig(language_model=str(folder)), DIM)


def change(folder, **changes):
    path = folder / "semantic.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_damaged_folders(tmp_path):
    folder = tmp_path / "good"
    head = build_head()
    head.save_pretrained(folder)
    weights = load_file(folder / "semantic.safetensors")
    decoder = json.loads((folder / "semantic.json").read_text())["decoder"]

    def refuses(match, break_it):
        broken = tmp_path / "broken"
        shutil.copytree(folder, broken)
        break_it(broken)
        with pytest.raises(ValueError, match=match):
            SemanticHead.from_pretrained(broken)
        shutil.rmtree(broken)

    def store(state):
        return lambda at: save_file(state, at / "semantic.safetensors")

    lacking = {k: v for k, v in weights.items() if k != "tags"}
    refuses("holds no semantic.json", lambda at: (at / "semantic.json").unlink())
    refuses("is not UTF-8", lambda at: (at / "semantic.json").write_bytes(b"\xff"))
    refuses("must hold a JSON object", lambda at: (at / "semantic.json").write_text("[]"))
    refuses("describes no", lambda at: change(at, decoder=None))
    refuses("format 2", lambda at: change(at, format=2))
    refuses("unknown keys", lambda at: change(at, more=1))
    refuses("no language model can be built", lambda at: change(at, decoder={}))
    refuses("no language model", lambda at: change(at, decoder=decoder | {"hidden_size": "a"}))
    refuses("do not belong", lambda at: change(at, decoder=decoder | {"hidden_size": 64}))
    refuses("do not belong", lambda at: change(at, latent_dim=DIM + 1))
    refuses("cannot read .*safetensors", lambda at: (at / "semantic.safetensors").unlink())
    refuses(
        "safetensors cannot be read",
        lambda at: (at / "semantic.safetensors").write_bytes(b"short"),
    )
    refuses("missing .*tags", store(lacking))
    refuses("unknown .*more", store(weights | {"more": torch.zeros(1)}))
    refuses("do not belong", store(weights | {"tags": torch.zeros(2, 32)}))

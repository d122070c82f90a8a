import json
from dataclasses import asdict, replace

import pytest
import torch

from catok.training.lm.init_from_qwen3 import from_text_model
from tests.lm.conftest import small_config


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def text_model(request, tmp_path_factory):
    """A small Qwen3 and its folder."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    settings = asdict(small_config().language_config)
    settings["rope_parameters"] = {"rope_type": "default", "rope_theta": settings.pop("rope_theta")}
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(Qwen3Config(**settings, tie_word_embeddings=request.param)).eval()
    folder = tmp_path_factory.mktemp("qwen3")
    model.save_pretrained(folder)
    return model, folder


def test_the_text_model_is_taken_over(text_model):
    model, folder = text_model
    ours = from_text_model(folder, replace(small_config(), n_vq=3))
    assert ours.config == replace(small_config(), n_vq=3)
    ids = torch.randint(264, (2, 7))
    with torch.no_grad():
        expected = model.model(input_ids=ids).last_hidden_state
        found, _ = ours.backbone(ours.embedding.tables[0](ids))
        torch.testing.assert_close(found, expected)
        logits = torch.nn.functional.linear(found, ours.heads.channels[0].linear.weight)
        torch.testing.assert_close(logits, model(input_ids=ids).logits)
    tables = (ours.heads.channels[0].linear.weight, ours.embedding.tables[0].weight)
    assert tables[0].data_ptr() != tables[1].data_ptr()


def test_other_models_are_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ValueError, match="only 'qwen3'"):
        from_text_model(tmp_path, small_config())

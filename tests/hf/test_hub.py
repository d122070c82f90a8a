"""Models go to a hub and come back; the hub is a stand-in."""

import json

import pytest
import torch
from huggingface_hub import constants
from transformers import AutoConfig, AutoFeatureExtractor, AutoModelForAudioTokenization

from catok.hf import CatokConfig, CatokModel
from tests.conftest import build, small_settings
from tests.io.hub_stand_in import HubStandIn


@pytest.fixture
def hub(monkeypatch, tmp_path):
    server = HubStandIn()
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def model():
    tokenizer = build(small_settings(channels=2))
    return CatokModel(CatokConfig(tokenizer.config.to_dict()), tokenizer)


def test_what_is_pushed_comes_back_through_the_auto_classes(hub, model, tmp_path):
    model.push_to_hub("someone/codec", token=hub.token)
    files = hub.repositories["someone/codec"]
    assert {"config.json", "model.safetensors", "preprocessor_config.json"} <= set(files)
    assert json.loads(files["config.json"])["model_type"] == "catok"
    cache = {"cache_dir": tmp_path / "elsewhere"}
    assert AutoConfig.from_pretrained("someone/codec", **cache).audio_channels == 2
    loaded = AutoModelForAudioTokenization.from_pretrained("someone/codec", **cache)
    extractor = AutoFeatureExtractor.from_pretrained("someone/codec", **cache)
    audio = 0.1 * torch.randn(2, 5000, generator=torch.Generator().manual_seed(0))
    codes = loaded.encode(**extractor(audio.numpy(), return_tensors="pt")).audio_codes
    assert torch.equal(codes, model.tokenizer.encode(audio[None]).codes)


def test_saving_can_push_too(hub, model, tmp_path):
    options = {"push_to_hub": True, "repo_id": "someone/other", "token": hub.token}
    model.save_pretrained(tmp_path / "folder", private=True, **options)
    assert (tmp_path / "folder" / "model.safetensors").exists()
    assert "someone/other" in hub.private
    with pytest.raises(ValueError, match="access|restricted|token"):
        CatokModel.from_pretrained("someone/other", cache_dir=tmp_path / "a")
    loaded = CatokModel.from_pretrained("someone/other", token=hub.token, cache_dir=tmp_path / "b")
    assert loaded.tokenizer.weight_hash == model.tokenizer.weight_hash


def test_a_hub_that_refuses_says_so(hub, model):
    with pytest.raises(ValueError, match="could not upload to 'someone/x'"):
        model.push_to_hub("someone/x", token="hf_wrong")

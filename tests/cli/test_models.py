"""`catok models`: what is here, and what is missing."""

import json

import pytest

from catok.cli import main
from catok.extras import EXTRAS
from catok.io.hub import EMBEDDED

pytestmark = pytest.mark.slow


def test_models_and_extras(model_folder, saved_model, tmp_path, monkeypatch, capsys):
    cache = tmp_path / "hub" / "models--owner--small"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text("0123456789abcdef")
    (cache / "snapshots").mkdir()
    (cache / "snapshots" / "0123456789abcdef").symlink_to(model_folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setitem(EXTRAS, "plot", ("no_such_package",))
    assert main(["models", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    models = {model["name"]: model for model in told["models"]}
    assert set(models) == {"tiny", "tiny-asr", "tiny-tts", "owner/small"}
    assert models["owner/small"]["code_space"] == saved_model.weight_hash
    assert models["owner/small"]["kind"] == models["tiny"]["kind"] == "audio tokenizer"
    assert models["tiny-asr"]["code_space"] == models["tiny"]["code_space"]
    files = (EMBEDDED / "tiny").rglob("*")
    assert models["tiny"]["bytes"] == sum(f.stat().st_size for f in files if f.is_file())
    assert set(told["missing"]) == set(EXTRAS)
    assert (told["missing"]["plot"], told["missing"]["tts"]) == (["no_such_package"], [])
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("owner/small  ") for line in lines)
    assert 'plot: pip install "catok[plot]" (in a checkout: pip install ".[plot]")' in lines

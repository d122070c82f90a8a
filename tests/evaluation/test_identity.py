"""Models are told apart by what is in their files."""

import pytest

from catok.evaluation.identity import model_identity


def test_a_folder_is_known_by_its_weights_wherever_it_lies(tmp_path):
    def model(place: str, weights: str) -> str:
        folder = tmp_path / place / "asr"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_text(weights)
        return str(folder)

    first = model_identity(model("x", "one"))
    assert first.startswith("asr ") and len(first) == 4 + 16
    assert model_identity(model("y", "one")) == first
    assert model_identity(f"catok:{tmp_path / 'y' / 'asr'}") == f"catok:{first}"
    (tmp_path / "y" / "asr" / "log.jsonl").write_text("a training run's")
    assert model_identity(str(tmp_path / "y" / "asr")) == first
    assert model_identity(model("y", "two")) != first


def test_files_and_names(tmp_path):
    (tmp_path / "utmos.pt").write_text("a")
    first = model_identity(str(tmp_path / "utmos.pt"))
    (tmp_path / "utmos.pt").write_text("b")
    assert first.startswith("utmos.pt ") and model_identity(str(tmp_path / "utmos.pt")) != first
    assert model_identity("tiny.en") == "tiny.en"
    assert model_identity("openai/whisper-large-v3") == "openai/whisper-large-v3"
    with pytest.raises(ValueError, match="no folder 'nothing'"):
        model_identity("catok:nothing")

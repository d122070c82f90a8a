"""Models are told apart by what is in their files."""

import pytest

from catok.evaluation.results_folder import audio_sha1, model_identity


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


def test_a_recording_is_its_content(tmp_path):
    path = tmp_path / "a.wav"
    assert audio_sha1(path) is None and audio_sha1(None) is None and audio_sha1(tmp_path) is None
    path.write_bytes(b"abc")
    first = audio_sha1(path)
    assert first == "a9993e364706"  # FIPS 180
    path.write_bytes(b"abd")
    assert audio_sha1(path) != first

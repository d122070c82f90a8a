"""`catok train-lm`: from recordings to a model in a few steps, and how it goes on and ends."""

import json
import signal

import pytest

from catok import save_audio
from catok.cli import main
from catok.lm.speech_model import load_speech_model
from tests.lm.conftest import small_config

from .conftest import noise

RECIPE = """
steps = 2
architecture = "{model}"
tokenizer = "{tokenizer}"
log_every = 1
validate_every = 2
[tasks]
tts = 1.0
asr = 1.0
[data]
rows_per_batch = 500
"""


@pytest.fixture
def settings(model_folder, tmp_path) -> list[str]:
    """A recipe, recordings with text and an output folder."""
    config = small_config(n_vq=8, audio_vocab_size=64, audio_pad_code=64)
    (tmp_path / "model.json").write_text(json.dumps(config.to_dict()))
    text = RECIPE.format(model=tmp_path / "model.json", tokenizer=model_folder)
    (tmp_path / "recipe.toml").write_text(text)
    lines = []
    for seed in range(4):
        save_audio(tmp_path / f"{seed}.wav", noise(20_000 + 3000 * seed, seed=seed), 24_000)
        lines.append(json.dumps({"audio": f"{seed}.wav", "text": "hello", "duration": 1.0}))
    (tmp_path / "clips.jsonl").write_text("\n".join(lines) + "\n")
    clips = str(tmp_path / "clips.jsonl")
    recipe, out = str(tmp_path / "recipe.toml"), str(tmp_path / "run")
    return [recipe, "--data", clips, "--valid", clips, "--out", out, "--device", "cpu"]


@pytest.mark.slow
def test_trains_and_goes_on(settings, tmp_path, saved_model, capsys):
    assert main(["train-lm", *settings]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("catok: 2 steps on 0.00")
    assert lines[1].startswith("step 1/2  total ") and "audio s/s" in lines[1]
    assert "valid_tts_1" in lines[4] and "valid_asr_text" in lines[4]
    assert "2 of 2 steps done" in lines[5]
    found = load_speech_model(tmp_path / "run" / "model", task="tts")
    assert found.tokenizer.weight_hash == saved_model.weight_hash
    folder = tmp_path / f"clips.tokens-{saved_model.weight_hash}"
    before = {f: f.stat().st_mtime_ns for f in folder.glob("shard-*")}
    assert len(before) == 2

    assert main(["train-lm", *settings, "--threads", "1", "--set", "steps=3"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "going on from step 2" in lines[0]
    assert "catok: settings changed: steps 2 -> 3" in lines
    assert before == {f: f.stat().st_mtime_ns for f in folder.glob("shard-*")}

    tokens = ["--data", str(folder), "--out", str(tmp_path / "other")]
    assert main(["train-lm", settings[0], *tokens, "--device", "cpu"]) == 0


@pytest.mark.slow
def test_codes_may_lie_elsewhere(settings, tmp_path, capsys):
    assert main(["train-lm", *settings, "--tokens", str(tmp_path / "here")]) == 0
    assert (tmp_path / "here" / "train" / "tokens.json").is_file()
    assert not list(tmp_path.glob("clips.tokens-*"))


def test_interrupt_saves_the_run(settings, tmp_path, monkeypatch, capsys):
    from catok.training.lm.trainer import LMTrainer

    step = LMTrainer.train_step

    def pressed(self, batches):
        signal.raise_signal(signal.SIGINT)
        return step(self, batches)

    monkeypatch.setattr(LMTrainer, "train_step", pressed)
    assert main(["train-lm", *settings, "--set", "steps=50"]) == 130
    assert "1 of 50 steps done" in capsys.readouterr().err
    assert (tmp_path / "run" / "last.pt").is_file()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("nonsense=1", "unknown keys in recipe"),
        ('tokenizer="tiny"', "codes run to 64, those of this audio tokenizer to 1024"),
        ("data.max_text=3", "none of 4 recordings can be trained on (4 text too long)"),
    ],
)
def test_mistakes_are_one_line(settings, capsys, change, said):
    assert main(["train-lm", *settings, "--set", change]) == 1
    error = capsys.readouterr().err.strip()
    assert said in error and len(error.splitlines()) == 1


@pytest.mark.parametrize("option", ["--data", "--valid"])
def test_texts_are_looked_for_before_anything_is_encoded(settings, tmp_path, capsys, option):
    (tmp_path / "mute").mkdir()
    save_audio(tmp_path / "mute" / "a.wav", noise(20_000), 24_000)
    settings[settings.index(option) + 1] = str(tmp_path / "mute")
    assert main(["train-lm", *settings]) == 1
    error = capsys.readouterr().err
    assert "none of 1 recordings can be trained on (1 no text): texts stand in" in error
    assert not list(tmp_path.rglob("*.cat")) and not list(tmp_path.glob("*.tokens-*"))
    assert not (tmp_path / "run").exists()

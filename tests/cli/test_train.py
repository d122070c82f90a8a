"""`catok train`: a run of a few steps, and going on with it."""

import json

import pytest

from catok import CausalAudioTokenizer, save_audio
from catok.cli import main

from .conftest import noise

RECIPE = """
tokenizer = "{model}"
steps = 2
log_every = 1
validate_every = 2
[data]
crop_seconds = 0.32
batch_size = 2
"""


@pytest.fixture
def settings(model_folder, tmp_path) -> list[str]:
    """A recipe, data and an output folder."""
    (tmp_path / "recipe.toml").write_text(RECIPE.format(model=model_folder))
    (tmp_path / "clips").mkdir()
    for seed in range(2):
        save_audio(tmp_path / "clips" / f"{seed}.wav", noise(24_000, seed=seed), 24_000)
    data = str(tmp_path / "clips")
    recipe, out = str(tmp_path / "recipe.toml"), str(tmp_path / "run")
    return [recipe, "--data", data, "--valid", data, "--out", out, "--device", "cpu"]


def test_trains_and_goes_on(settings, tmp_path, capsys):
    assert main(["train", *settings]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("step 1/2  mel ") and "ETA" in lines[0]
    assert lines[2].startswith("step 2/2  valid_mel_1 ")
    assert "2 of 2 steps done" in lines[3]
    CausalAudioTokenizer.from_pretrained(tmp_path / "run" / "model")

    assert main(["train", *settings, "--steps", "3", "--threads", "1"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "going on from step 2" in lines[0]
    assert lines[1].startswith("step 3/3")
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [event["step"] for event in log if "total" in event] == [1, 2, 3]


def test_interrupt_saves_the_run(settings, tmp_path, monkeypatch, capsys):
    import signal

    from catok.training.loop import Trainer

    step = Trainer.train_step

    def pressed(self):
        signal.raise_signal(signal.SIGINT)
        return step(self)

    monkeypatch.setattr(Trainer, "train_step", pressed)
    assert main(["train", *settings, "--steps", "50"]) == 130
    assert "1 of 50 steps done" in capsys.readouterr().err
    assert (tmp_path / "run" / "last.pt").is_file()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_errors(settings, tmp_path, capsys):
    assert main(["train", str(tmp_path / "none.toml"), *settings[1:]]) == 1
    assert "cannot read the recipe" in capsys.readouterr().err
    assert main(["train", *settings, "--steps", "0"]) == 1
    assert main(["train", *settings, "--threads", "0"]) == 1
    assert capsys.readouterr().err.count("\n") == 2

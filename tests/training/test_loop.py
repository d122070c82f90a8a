"""The loop end to end on a small model: it learns, resumes exactly and leaves a loadable folder."""

import json
import os
import signal

import pytest
import torch

from catok import CausalAudioTokenizer, save_audio
from catok.training import loop
from catok.training.config import DataConfig, OptimizerConfig, TrainConfig
from catok.training.data import Recording
from catok.training.losses.mel import MelLossConfig
from catok.training.schedule import learning_rate
from tests.conftest import build, small_settings


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Two seconds of a gliding tone, twice."""
    folder = tmp_path_factory.mktemp("corpus")
    time = torch.arange(48_000) / 24_000
    found = []
    for index, start in enumerate((200.0, 500.0)):
        tone = 0.3 * torch.sin(2 * torch.pi * (start + 150 * time) * time)
        save_audio(folder / f"{index}.wav", tone, 24_000)
        found.append(Recording(folder / f"{index}.wav", 2.0))
    return found


CONFIG = TrainConfig(
    tokenizer="small",
    steps=12,
    data=DataConfig(crop_seconds=0.32, batch_size=2, gain_db=(-3.0, 0.0)),
    optimizer=OptimizerConfig(learning_rate=3e-3, warmup_steps=4),
    mel=MelLossConfig(windows=(64, 512), mel_bins=(10, 40), scales_per_step=1),
    log_every=1,
    validate_every=6,
)


@pytest.fixture(autouse=True)
def small_preset(monkeypatch):
    monkeypatch.setattr(loop, "initial_model", lambda name: build(small_settings()))


def run(folder, recordings, config=CONFIG, **changes):
    lines = []
    trainer = loop.Trainer(config, recordings, recordings, folder, report=lines.append, **changes)
    trainer.run()
    return trainer, lines


def losses(lines):
    return {line["step"]: line["total"] for line in lines if "total" in line}


def test_a_run_learns_logs_and_leaves_a_model(tmp_path, recordings):
    config = TrainConfig.from_dict(CONFIG.to_dict() | {"steps": 60, "mel": {}})
    _, lines = run(tmp_path, recordings, config)
    totals = list(losses(lines).values())
    assert sum(totals[-10:]) < 0.8 * sum(totals[:10])
    logged = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert logged == lines
    assert len(logged[0]["perplexity"]) == 8 and logged[0]["audio_per_second"] > 0
    valid = [line for line in lines if "valid_mel_8" in line]
    assert valid[-1]["valid_mel_8"] < valid[0]["valid_mel_8"]
    model = CausalAudioTokenizer.from_pretrained(tmp_path / "model")
    assert model.encode(torch.zeros(1, 1, 100)).codes.shape == (1, 8, 1)


def test_a_resumed_run_is_the_uninterrupted_run(tmp_path, recordings):
    whole, expected = run(tmp_path / "whole", recordings)

    half = loop.Trainer(CONFIG, recordings, recordings, tmp_path / "cut")
    while half.step < 5:
        half.train_step()
    half.save()
    resumed, lines = run(tmp_path / "cut", recordings)

    assert losses(lines) == {s: t for s, t in losses(expected).items() if s > 5}
    for one, two in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends(tmp_path, recordings, number):
    trainer = loop.Trainer(CONFIG, recordings, [], tmp_path)
    trainer.report = lambda line: os.kill(os.getpid(), number)
    before = signal.getsignal(number)
    trainer.run()
    assert trainer.step == 1 and (tmp_path / "last.pt").is_file()
    assert signal.getsignal(number) is before


def test_a_damaged_checkpoint_says_so(tmp_path, recordings):
    (tmp_path / "last.pt").write_bytes(b"half a file")
    with pytest.raises(ValueError, match="cannot be read.*start anew"):
        loop.Trainer(CONFIG, recordings, [], tmp_path)


def test_losses_and_weights_must_agree():
    with pytest.raises(ValueError, match="must agree"):
        loop.weighted_sum({"mel": torch.tensor(1.0)}, {"mel": 1.0, "codebook": 1.0})


def test_decay_and_rates_by_kind_of_parameter():
    model = build(small_settings())
    groups = loop.parameter_groups(model, OptimizerConfig(weight_decay=0.1, codebook_rate=3.0))
    assert [(g["weight_decay"], g["rate"]) for g in groups] == [(0.1, 1.0), (0.0, 3.0), (0.0, 1.0)]
    assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))
    assert len(groups[1]["params"]) == 8


def test_warm_up_then_cosine():
    config = OptimizerConfig(learning_rate=1.0, warmup_steps=10, final_rate=0.1)
    rates = [learning_rate(step, 110, config) for step in range(111)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == pytest.approx(1.0)
    assert rates[60] == pytest.approx(0.55) and rates[110] == pytest.approx(0.1)


def test_recipes_are_read_strictly(tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text("steps = 5\n[data]\nbatch_size = 3\n")
    config = TrainConfig.from_toml(recipe)
    assert (config.steps, config.data.batch_size) == (5, 3)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    recipe.write_text("stesp = 5")
    with pytest.raises(ValueError, match="unknown keys in recipe"):
        TrainConfig.from_toml(recipe)
    recipe.write_text("steps =")
    with pytest.raises(ValueError, match="cannot read the recipe"):
        TrainConfig.from_toml(recipe)
    with pytest.raises(ValueError, match="quantizer_dropout"):
        TrainConfig(quantizer_dropout=1.5)

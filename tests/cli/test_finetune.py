"""`catok finetune`: the decoder learns, codes stay."""

import json
from pathlib import Path

import pytest
import torch

from catok import CausalAudioTokenizer, save_audio
from catok.cli import main
from catok.io.hub import EMBEDDED
from catok.training.codec.discriminators import ensemble
from catok.training.codec.semantic.head import SemanticHead

from .conftest import noise
from .test_train import fails

RELEASED = Path(__file__).parents[1] / "fixtures" / "golden" / "mono-a"
SMALL = ["--set", "data.crop_seconds=0.32", "data.batch_size=2", "log_every=1"]


@pytest.fixture
def settings(tmp_path) -> list[str]:
    """Data, an output folder, three steps."""
    (tmp_path / "clips").mkdir()
    save_audio(tmp_path / "clips" / "0.wav", noise(24_000), 24_000)
    data, out = str(tmp_path / "clips"), str(tmp_path / "run")
    return ["--data", data, "--out", out, "--device", "cpu", "--steps", "3", *SMALL]


def parts_that_differ(one, two) -> set[str]:
    states = one.state_dict(), two.state_dict()
    assert states[0].keys() == states[1].keys()
    return {n.split(".")[0] for n in states[0] if not torch.equal(states[0][n], states[1][n])}


@pytest.mark.slow
@pytest.mark.parametrize("adversarial", [False, True])
@pytest.mark.parametrize("kind", ["ours", "released"])
def test_codes_stay_to_the_bit(settings, model_folder, tmp_path, kind, adversarial, monkeypatch):
    toy = ensemble.DiscriminatorConfig((2, 3), (128,), (4, 8), 4)
    monkeypatch.setitem(ensemble.PRESETS, "small", toy)
    start = RELEASED if kind == "released" else model_folder
    extra = ["--adversarial"] if adversarial else []
    assert main(["finetune", str(start), *settings, *extra]) == 0
    before = CausalAudioTokenizer.from_pretrained(start)
    after = CausalAudioTokenizer.from_pretrained(tmp_path / "run" / "model")
    assert parts_that_differ(before, after) == {"decoder"}
    audio = noise(50_000, seed=3)[None]
    one, two = before.encode(audio), after.encode(audio)
    assert torch.equal(one.codes, two.codes) and one.weight_hash == two.weight_hash
    assert not torch.equal(before.decode(one), after.decode(two))
    assert (tmp_path / "run" / "model" / "discriminators").is_dir() == adversarial


def test_published_discriminators_go_on(settings, model_folder, tmp_path, monkeypatch):
    toy = ensemble.DiscriminatorConfig((2,), (), (4,), 4)
    monkeypatch.setitem(ensemble.PRESETS, "small", toy)
    assert main(["finetune", str(model_folder), *settings, "--adversarial"]) == 0
    first = tmp_path / "run" / "model"
    monkeypatch.setitem(ensemble.PRESETS, "small", None)  # not asked for again
    settings[settings.index("--out") + 1] = str(tmp_path / "again")
    rate = "optimizer.learning_rate=1e-30"
    assert main(["finetune", str(first), *settings, rate, "--adversarial"]) == 0
    second = tmp_path / "again" / "model"
    states = [
        ensemble.Discriminators.from_pretrained(m / "discriminators").state_dict()
        for m in (first, second)
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_what_is_frozen_is_asked_for(settings, model_folder, tmp_path):
    assert main(["finetune", str(model_folder), *settings, "--freeze", "decoder"]) == 0
    before = CausalAudioTokenizer.from_pretrained(model_folder)
    after = CausalAudioTokenizer.from_pretrained(tmp_path / "run" / "model")
    assert parts_that_differ(before, after) == {"encoder", "quantizer"}


def test_a_recipe_needs_no_stages(settings, model_folder, tmp_path, capsys):
    (tmp_path / "r.toml").write_text("seed = 5\nema = 0.5\nlog_every = 50")
    recipe = ["--recipe", str(tmp_path / "r.toml")]
    assert main(["finetune", str(model_folder), *settings, *recipe]) == 0
    config = torch.load(tmp_path / "run" / "last.pt")["config"]
    assert (config["seed"], config["ema"], config["log_every"]) == (5, 0.5, 1)
    assert len(config["stages"]) == 1 and config["stages"][0]["steps"] == 3
    assert list(config["stages"][0]["freeze"]) == ["encoder", "quantizer"]


def test_errors(settings, model_folder, tmp_path, capsys):
    def error(*arguments: str) -> str:
        return fails(capsys, "finetune", *arguments)

    model = str(model_folder)
    everything = "encoder, quantizer,decoder"
    assert "nothing would learn" in error(model, *settings, "--freeze", everything)
    assert "cannot freeze" in error(model, *settings, "--freeze", "everything")
    assert "no folder './none'" in error("./none", *settings)
    assert "at least 1 step" in error(model, *settings[:-1], "stages=[{steps=0}]")
    assert "no data: pass --data" in error(model, *settings[2:])
    assert "holds no config.json" in error(str(tmp_path), *settings)
    assert "the encoder is frozen" in error(model, *settings[:-4], "--semantic")
    unfrozen = ("--semantic", "--freeze", "")
    assert "train without semantic head" in error(model, *settings[:-4], *unfrozen)


@pytest.mark.slow
def test_the_embedded_model_brings_its_discriminators(settings, tmp_path):
    assert main(["finetune", "tiny", "--adversarial", *settings]) == 0
    folders = EMBEDDED / "tiny" / "discriminators", tmp_path / "run" / "model" / "discriminators"
    first, after = (ensemble.Discriminators.from_pretrained(f).state_dict() for f in folders)
    moved = [float((after[name] - first[name]).abs().max()) for name in first]
    assert 0 < max(moved) < 2e-3  # three steps at a rate of 1e-4 from there, not from nothing
    assert sum(file.stat().st_size for file in folders[0].iterdir()) < 25e6


@pytest.mark.slow
def test_a_published_head_goes_on(settings, model_folder, tmp_path):
    clips = tmp_path / "clips"
    line = {"audio": "0.wav", "duration": 1.0, "text": "hello"}
    (clips / "all.jsonl").write_text(json.dumps(line) + "\n")
    settings[settings.index("--data") + 1] = str(clips / "all.jsonl")
    settings += ["data.batch_seconds=12.0"]
    assert main(["finetune", str(model_folder), "--freeze", "", "--semantic", *settings]) == 0
    first = tmp_path / "run" / "model"
    lines = [json.loads(x) for x in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert all(line["semantic"] > 0 for line in lines if "total" in line)
    settings[settings.index("--out") + 1] = str(tmp_path / "again")
    slow = "optimizer.learning_rate=1e-30"
    assert main(["finetune", str(first), "--freeze", "", "--semantic", *settings, slow]) == 0
    folders = first, tmp_path / "again" / "model"
    one, two = (SemanticHead.from_pretrained(f / "semantic").state_dict() for f in folders)
    assert all(torch.equal(one[name], two[name]) for name in one)

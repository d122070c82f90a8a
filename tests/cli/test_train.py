"""`catok train`: a run of a few steps, going on with it, and how it ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from catok import CausalAudioTokenizer, save_audio
from catok.cli import main
from catok.cli.training import Display
from catok.io.lock import folder_lock

from .conftest import noise

RECIPE = """
init_from = "{model}"
log_every = 1
validate_every = 2
[[stages]]
steps = 2
[data]
crop_seconds = 0.32
batch_size = 2
"""


@pytest.fixture
def clips(tmp_path) -> str:
    """A folder of two recordings."""
    (tmp_path / "clips").mkdir()
    for seed in range(2):
        save_audio(tmp_path / "clips" / f"{seed}.wav", noise(24_000, seed=seed), 24_000)
    return str(tmp_path / "clips")


@pytest.fixture
def recipe(model_folder, tmp_path) -> str:
    """Two steps."""
    (tmp_path / "recipe.toml").write_text(RECIPE.format(model=model_folder))
    return str(tmp_path / "recipe.toml")


@pytest.fixture
def settings(recipe, clips, tmp_path) -> list[str]:
    """A recipe, data and an output folder."""
    out = str(tmp_path / "run")
    return [recipe, "--data", clips, "--valid", clips, "--out", out, "--device", "cpu"]


def steps(n: int) -> list[str]:
    return ["--set", f"stages=[{{steps={n}}}]"]


def logged(tmp_path) -> list[dict]:
    return [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_trains_and_goes_on(settings, tmp_path, capsys):
    assert main(["train", *settings]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("catok: 2 steps on 0.001 hours") and "validates every" in lines[0]
    assert lines[1].startswith("step 1/2  mel ") and "ETA" in lines[1]
    assert lines[2].startswith("step 1/2  valid_mel_1 ")
    assert lines[4].startswith("step 2/2  valid_mel_1 ")
    assert "2 of 2 steps done" in lines[5] and len(lines) == 6
    CausalAudioTokenizer.from_pretrained(tmp_path / "run" / "model")

    assert main(["train", *settings, "--threads", "1", *steps(3)]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "going on from step 2" in lines[0]
    assert lines[2].startswith('catok: settings changed: stages [{"')
    assert '"steps": 2' in lines[2].split(" -> ")[0] and '"steps": 3' in lines[2].split(" -> ")[1]
    assert lines[3].startswith("step 3/3")
    assert [event["step"] for event in logged(tmp_path) if "total" in event] == [1, 2, 3]


def test_one_run_to_a_folder(settings, tmp_path, capsys):
    with folder_lock(tmp_path / "run"):
        assert main(["train", *settings]) == 1
    assert "is in use by process" in capsys.readouterr().err
    assert not (tmp_path / "run").exists(), "nothing was begun"


def test_a_terminal_that_was_closed_ends_nothing(monkeypatch):
    class Gone:
        def isatty(self):
            return False

        def write(self, text):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("sys.stderr", Gone())
    display = Display(3)
    display.begin(1, "run")
    display.show({"step": 2, "audio_per_second": 1.0})
    display.end(2, "model")


def test_settings_replace_the_recipes(settings, tmp_path, capsys):
    changes = ["stages=[{steps=1}]", "weights.mel=0", "data.batch_size=1", "log_every=1"]
    assert main(["train", *settings, "--set", *changes]) == 0
    assert "1 of 1 steps done" in capsys.readouterr().err
    (event,) = (event for event in logged(tmp_path) if "total" in event)
    assert "mel" not in event and event["total"] > 0
    assert torch.load(tmp_path / "run" / "last.pt")["config"]["data"]["batch_size"] == 1


def test_corpora_may_stand_in_the_recipe(recipe, clips, tmp_path):
    corpora = f'data.corpora=[{{path="{clips}", weight=1.0}}]'
    out = str(tmp_path / "run")
    assert main(["train", recipe, "--out", out, "--device", "cpu", "--set", corpora]) == 0
    assert (tmp_path / "run" / "model" / "config.json").is_file()


def test_interrupt_saves_the_run(settings, tmp_path, monkeypatch, capsys):
    from catok.training.codec.trainer import CodecTrainer

    step = CodecTrainer.train_step

    def pressed(self, batches):
        signal.raise_signal(signal.SIGINT)
        return step(self, batches)

    monkeypatch.setattr(CodecTrainer, "train_step", pressed)
    before = signal.getsignal(signal.SIGINT)
    assert main(["train", *settings, *steps(50)]) == 130
    assert "1 of 50 steps done" in capsys.readouterr().err
    assert (tmp_path / "run" / "last.pt").is_file()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.slow
def test_sigterm_saves_the_run_of_a_real_process(settings, tmp_path, capsys):
    command = [sys.executable, "-c", "import sys; from catok.cli import main; sys.exit(main())"]
    process = subprocess.Popen(
        [*command, "train", *settings, *steps(1_000_000)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    log, patience = tmp_path / "run" / "log.jsonl", time.monotonic() + 60
    while not (log.is_file() and log.read_text().count("\n") > 3):
        assert process.poll() is None and time.monotonic() < patience
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in errors
    done = torch.load(tmp_path / "run" / "last.pt")["step"]
    assert f"{done} of 1000000 steps done" in errors and done >= 2
    assert main(["train", *settings, *steps(done + 1)]) == 0
    assert f"going on from step {done} " in capsys.readouterr().err
    assert [e["step"] for e in logged(tmp_path) if "total" in e] == list(range(1, done + 2))


def fails(capsys, *arguments: str) -> str:
    """The one line on which a command fails."""
    assert main(list(arguments)) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("catok: error: ")
    return lines[0]


def test_errors(settings, recipe, tmp_path, capsys):
    def error(*arguments: str) -> str:
        return fails(capsys, "train", *arguments)

    assert "cannot read the recipe" in error(str(tmp_path / "none.toml"), *settings[1:])
    assert "at least 1 step" in error(*settings, *steps(0))
    assert "--threads" in error(*settings, "--threads", "0")
    assert "unknown keys in recipe" in error(*settings, "--set", "stesp=3")
    assert "KEY=VALUE" in error(*settings, "--set", "steps")
    out = ["--out", str(tmp_path / "run"), "--device", "cpu"]
    assert "no data: pass --data" in error(recipe, *out)
    assert "none" in error(recipe, *out, "--data", str(tmp_path / "none"))
    assert "no folder 'none'" in error(*settings, "--set", "init_from=none")
    assert 'init_from = "tiny" a trained one' in error(*settings, "--set", "tokenizer=tiny")
    assert "is a file" in error(*settings[:5], "--out", str(tmp_path / "recipe.toml"))


def test_a_recipe_and_a_folder_are_needed(capsys):
    for arguments in (["train"], ["train", "recipe.toml"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2


def test_a_full_disk_is_one_line(settings, capsys, monkeypatch):
    def full(*_):
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", full)
    assert main(["train", *settings]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("catok: error: cannot write") and "is the disk full?" in last


def test_recordings_that_are_not_whole_are_named_once_and_counted(
    settings, clips, tmp_path, capsys
):
    folder = tmp_path / "cut"
    shutil.copytree(clips, folder)
    cut = sorted(folder.iterdir())[0]
    cut.write_bytes(cut.read_bytes()[:-4000])
    settings[settings.index("--data") + 1] = str(folder)
    assert main(["train", *settings]) == 0
    said = capsys.readouterr().err
    assert said.count(f"catok: warning: {cut}: it is cut short") == 1
    assert said.splitlines()[-1].endswith("recordings not read whole: 1")

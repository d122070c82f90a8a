"""What happens to the saved run when saving goes wrong."""

import errno
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from catok.training.codec.train_config import TrainStage
from catok.training.codec.trainer import CodecTrainer
from catok.training.engine import checkpoint
from catok.training.engine.distributed import Group

from ...conftest import small_disk
from ..conftest import CONFIG, EVERYTHING, same

# saves after every step, and dies half way through the third time
DRIVER = """
import io, os, signal, sys, torch
from dataclasses import replace
from catok.training.codec.trainer import CodecTrainer
from catok.training.codec.train_config import CodecTrainConfig
from catok.training.codec.data import read_cuts
import json

settings, corpus, folder = sys.argv[1:]
save, calls = torch.save, []

def dying(state, file):
    calls.append(1)
    if len(calls) < 3:
        return save(state, file)
    whole = io.BytesIO()
    save(state, whole)
    with open(file, "wb") as half:
        half.write(whole.getvalue()[: len(whole.getvalue()) // 2])
    os.kill(os.getpid(), signal.SIGKILL)

torch.save = dying
config = CodecTrainConfig.from_dict(json.loads(settings))
CodecTrainer(config, [(read_cuts(corpus), None)], [], folder).run()
"""


@pytest.mark.slow
def test_killed_while_saving(tmp_path, corpus_folder, corpora, run, small_model):
    import json

    small_model.save_pretrained(tmp_path / "start")
    config = replace(
        CONFIG, stages=(TrainStage(5),), init_from=str(tmp_path / "start"), save_minutes=0.0
    )
    whole, _ = run(tmp_path / "whole", corpora, config, valid=[])
    folder = tmp_path / "killed"
    arguments = [json.dumps(config.to_dict()), str(corpus_folder), str(folder)]
    died = subprocess.run(
        [sys.executable, "-c", DRIVER, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[3],
    )
    assert died.returncode == -signal.SIGKILL
    assert torch.load(folder / "last.pt", weights_only=True)["step"] == 2
    resumed, lines = run(folder, corpora, config, valid=[])
    assert [line["step"] for line in lines if "total" in line] == [3, 4, 5]
    assert same(resumed.learner.state_dict(), whole.learner.state_dict())


def test_a_full_disk_leaves_the_old_one(tmp_path, corpora, run):
    run(tmp_path, corpora, replace(CONFIG, stages=(TrainStage(2),)), valid=[])
    before = (tmp_path / "last.pt").read_bytes()
    trainer = CodecTrainer(CONFIG, corpora, [], tmp_path)
    trainer.train_step(next(trainer.batches()))
    with small_disk(len(before) // 2), pytest.raises(OSError, match="disk full"):
        trainer.save()
    assert (tmp_path / "last.pt").read_bytes() == before
    assert not list(tmp_path.glob(".*")) and not list(tmp_path.glob("*.tmp"))
    trainer.save()
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 3


def test_no_space_left_is_said_so(tmp_path, monkeypatch):
    checkpoint.save_run(tmp_path, {"step": 1})

    def full(state, file):
        Path(file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save_run(tmp_path, {"step": 2})
    assert checkpoint.load_run(tmp_path) == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_damaged_one_says_so(tmp_path, corpora):
    (tmp_path / "last.pt").write_bytes(b"half a file")
    with pytest.raises(ValueError, match="cannot be read.*start anew"):
        CodecTrainer(CONFIG, corpora, [], tmp_path)


def test_a_run_of_other_networks_is_refused(tmp_path, corpora, texts, run):
    run(tmp_path, corpora, replace(CONFIG, stages=(TrainStage(1),)), valid=[])
    with pytest.raises(
        ValueError, match=r"has no \['discriminator_optimizer', 'discriminators', 'ema'\]"
    ):
        CodecTrainer(EVERYTHING, texts, [], tmp_path)
    with pytest.raises(ValueError, match="other networks"):
        CodecTrainer(replace(EVERYTHING, ema=0.0, stages=(TrainStage(1),)), texts, [], tmp_path)
    with pytest.raises(ValueError) as error:
        CodecTrainer(replace(CONFIG, architecture="nano"), corpora, [], tmp_path)
    assert str(tmp_path) in str(error.value) and 'architecture "small" -> "nano"' in str(
        error.value
    )
    assert "choose another folder" in str(error.value)


def test_settings_changed_on_the_way_are_logged(tmp_path, corpora, run):
    short = replace(CONFIG, stages=(TrainStage(2),))
    run(tmp_path, corpora, short, valid=[])
    longer = replace(short, stages=(TrainStage(3),), ema=0.0)
    _, lines = run(tmp_path, corpora, longer, valid=[])
    before, after = (config.to_dict()["stages"] for config in (short, longer))
    assert lines[1] == {"step": 2, "settings_changed": {"stages": [before, after]}}
    assert lines[-1]["step"] == 3


def test_a_run_of_another_format_is_refused(tmp_path, corpora, run):
    run(tmp_path, corpora, replace(CONFIG, stages=(TrainStage(2),)), valid=[])
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    torch.save(state | {"format": 99}, tmp_path / "last.pt")
    with pytest.raises(ValueError, match="another version of catok .format 99"):
        CodecTrainer(CONFIG, corpora, [], tmp_path)


def test_flipped_bits_are_found(tmp_path):
    state = {"step": 3, "weights": {"a": torch.arange(200.0)}, "config": {"name": "x" * 300}}
    checkpoint.save_run(tmp_path, state)
    whole = (tmp_path / "last.pt").read_bytes()
    draw, found = random.Random(0), 0
    for _ in range(150):
        data = bytearray(whole)
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        (tmp_path / "last.pt").write_bytes(data)
        try:
            assert same(checkpoint.load_run(tmp_path), state)  # in bytes that nobody reads
        except ValueError:
            found += 1
    assert found > 75


def spoil(state, name):
    """Saved states that would do harm, by name."""
    average = next(iter(state["optimizer"].values()))
    first = next(iter(state["model"]))
    weight = state["model"][first]
    {
        "smaller": lambda: average.update(exp_avg=torch.zeros(2), exp_avg_sq=torch.zeros(2)),
        "lacking": lambda: average.pop("exp_avg_sq"),
        "steps": lambda: average.update(step=torch.zeros(5)),
        "integers": lambda: average.update(exp_avg=average["exp_avg"].long()),
        "no tensor": lambda: average.update(exp_avg=1.0),
        "unknown": lambda: state["optimizer"].update(other=average),
        "no table": lambda: state.update(optimizer=[1]),
        "broadcast": lambda: state["ema"].update({n: torch.zeros(1) for n in state["ema"]}),
        "no average": lambda: state.update(ema=None),
        "usage": lambda: state["usage"].update(idle=torch.zeros(1, dtype=torch.int64)),
        "nan": lambda: state["model"].update({first: weight * float("nan")}),
        "discriminators": lambda: state.update(discriminators={}),
        "discriminator_optimizer": lambda: state.update(discriminator_optimizer={"x": 1}),
        "step": lambda: state.update(step="many"),
    }[name]()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A place for a state with everything in it."""
    return tmp_path_factory.mktemp("saved")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["smaller", "lacking", "steps", "integers", "no tensor", "unknown", "no table", "broadcast",
     "no average", "usage", "nan", "discriminators", "discriminator_optimizer", "step"],
)  # fmt: skip
def test_a_state_that_does_not_fit_is_refused(saved, tmp_path, texts, name):
    config = replace(EVERYTHING, stages=(TrainStage(4, adversarial=True),))
    if not (saved / "last.pt").exists():
        trainer = CodecTrainer(config, texts, [], saved)
        trainer.train_step(next(trainer.batches()))
        trainer.save()
    state = torch.load(saved / "last.pt", weights_only=True)
    spoil(state, name)
    torch.save(state, tmp_path / "last.pt")
    with pytest.raises(ValueError, match="cannot go on with the run in"):
        CodecTrainer(config, texts, [], tmp_path)


def test_a_run_of_another_kind_or_of_other_data_is_refused(tmp_path, learner):
    one = {"weight_hash": ("1234", "speaks codes of another tokenizer")}
    other = {"weight_hash": ("5678", "speaks codes of another tokenizer")}

    def of_run(kind, facts):
        return checkpoint.RunCheckpoint(tmp_path, kind, CONFIG, Group(), facts)

    of_run("codec", one).save(learner(), 7)
    assert of_run("codec", one).restore(learner(), of_run("codec", one).load()) == 7
    with pytest.raises(ValueError, match="trains a codec, not a language model: use another"):
        of_run("language model", one).load()
    with pytest.raises(ValueError, match="speaks codes of another.*weight_hash 1234, here 5678"):
        of_run("codec", other).load()


def test_a_run_of_the_older_format_says_what_to_do(tmp_path, corpora):
    torch.save({"format": 1, "step": 3, "generator": {}}, tmp_path / "last.pt")
    with pytest.raises(ValueError, match="format 1, this one reads 2.*finish it.*from its model"):
        CodecTrainer(CONFIG, corpora, [], tmp_path)

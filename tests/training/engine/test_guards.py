"""NaN in a loss or a gradient: the step never was, and the batch is kept."""

import json
from dataclasses import replace

import pytest
import torch

from catok.training.codec.data import Batch
from catok.training.codec.losses import waveform
from catok.training.codec.train_config import TrainStage
from catok.training.codec.trainer import CodecTrainer
from catok.training.engine.guards import NonFiniteGuard

from ..conftest import EVERYTHING, same, some_batch


@pytest.fixture
def poison(monkeypatch):
    """Make the waveform loss of chosen steps NaN; `where["bad"]`: whether it is."""
    where = {"bad": False}
    real = waveform.waveform_loss

    def poisoned(*arguments):
        loss = real(*arguments)
        return loss * float("nan") if where["bad"] else loss

    monkeypatch.setattr(waveform, "waveform_loss", poisoned)
    return where


def frozen(trainer):
    """A copy of everything that a step may change."""
    return json_free(trainer.learner.state_dict())


def json_free(state):
    if isinstance(state, torch.Tensor):
        return state.clone()
    if isinstance(state, dict):
        return {key: json_free(value) for key, value in state.items()}
    return state


def test_a_bad_step_changes_nothing_and_its_batch_is_kept(tmp_path, texts, poison):
    config = replace(EVERYTHING, stages=(TrainStage(6, adversarial=True),))
    trainer = CodecTrainer(config, texts, [], tmp_path)
    stream = trainer.batches()
    trainer.train_step(next(stream))
    before = frozen(trainer)
    poison["bad"] = True
    batches = next(stream)
    result = trainer.train_step(batches)
    assert not result.finite and trainer.step == 2 and trainer.guard.in_a_row == 1
    assert same(frozen(trainer), before)

    saved = torch.load(tmp_path / "bad" / "step-1-rank-0.pt", weights_only=True)
    assert [Batch(**fields).texts for fields in saved["batches"]] == [b.texts for b in batches]
    assert torch.equal(saved["batches"][1]["audio"], batches[1].audio)
    assert saved["metrics"]["waveform"] != saved["metrics"]["waveform"]

    poison["bad"] = False
    assert trainer.train_step(next(stream)).finite
    assert trainer.guard.in_a_row == 0 and not same(frozen(trainer), before)


def test_a_bad_gradient_alone_is_bad(tmp_path, texts):
    trainer = CodecTrainer(EVERYTHING, texts, [], tmp_path)
    before = frozen(trainer)
    weight = next(trainer.codec.decoder.parameters())
    handle = weight.register_hook(lambda gradient: gradient * float("inf"))
    assert not trainer.train_step(next(trainer.batches())).finite
    handle.remove()
    assert same(frozen(trainer), before)


def test_a_run_goes_on_past_some_and_stops_at_many(tmp_path, texts, poison, run):
    config = replace(EVERYTHING, stages=(TrainStage(6),), max_bad_steps=3, log_every=100)
    run(tmp_path, texts, replace(config, stages=(TrainStage(1),)))
    before = (tmp_path / "last.pt").read_bytes()
    poison["bad"] = True
    lines = []
    trainer = CodecTrainer(config, texts, texts, tmp_path, report=lines.append)
    with pytest.raises(ValueError, match="3 steps in a row.*optimizer.learning_rate") as caught:
        trainer.run()
    assert "\n" not in str(caught.value)
    assert (tmp_path / "last.pt").read_bytes() == before
    assert [line["step"] for line in lines if "finite" in line] == [2, 3]
    bad = next(line for line in lines if "finite" in line)
    assert bad["grad_norm"] != bad["grad_norm"]
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert last["finite"] is False and last["waveform"] is None
    assert len(list((tmp_path / "bad").iterdir())) == 3


def test_only_steps_in_a_row_count_and_only_the_first_are_kept(tmp_path):
    guard = NonFiniteGuard(tmp_path, limit=3, rank=1, keep=2)
    for step in range(10):
        guard.skipped(step, [some_batch()], {"mel": float("nan")})
        if step % 2:
            guard.reset()
    assert sorted(p.name for p in (tmp_path / "bad").iterdir()) == [
        "step-0-rank-1.pt", "step-1-rank-1.pt",
    ]  # fmt: skip

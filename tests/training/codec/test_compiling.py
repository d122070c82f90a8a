import copy
from dataclasses import replace

import pytest
import torch

from catok.modules.transformer import TransformerStage
from catok.training.codec.networks import compile_codec

from ..conftest import CONFIG, same, some_batch

COMPILED = replace(CONFIG, compile=True)


@pytest.fixture
def compiler(monkeypatch):
    """A compiler that works at once and changes nothing; what ran through it."""
    ran = []

    def compile(self):
        def compiled(*inputs):
            ran.append(self)
            return self._call_impl(*inputs)

        self._compiled_call_impl = compiled

    monkeypatch.setattr(TransformerStage, "compile", compile)
    return ran


def stages_of(learner):
    return [m for m in learner.codec.modules() if isinstance(m, TransformerStage)]


def test_training_runs_through_the_compiled_stages(learner, compiler):
    plain, compiled = learner(), learner(COMPILED)
    stages = stages_of(compiled)
    assert len(stages) == 8
    assert list(map(id, compiler)) == list(map(id, stages))  # the trial
    assert same(compiled.codec.state_dict(), plain.codec.state_dict())
    assert compiled.step([some_batch()], 0) == plain.step([some_batch()], 0)
    assert list(map(id, compiler)) == 2 * list(map(id, stages))


@pytest.mark.parametrize("when", ["at once", "at the first call"])
def test_where_it_does_not_work_it_goes_on_without(learner, monkeypatch, caplog, when):
    def broken(self):
        if when == "at once":
            raise RuntimeError("no C++ compiler")
        self._compiled_call_impl = refuse

    def refuse(*_):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(TransformerStage, "compile", broken)
    fallen = learner(COMPILED)
    assert {stage._compiled_call_impl for stage in stages_of(fallen)} == {None}
    assert "going on without: no C++ compiler" in caplog.text
    assert all(p.grad is None for p in fallen.codec.parameters())
    assert fallen.step([some_batch()], 0) == learner().step([some_batch()], 0)


def test_it_says_whether_it_worked(small_model, monkeypatch):
    monkeypatch.setattr(TransformerStage, "compile", lambda self: None)
    assert compile_codec(small_model, 0.1 * torch.randn(1, 1, 3840))
    assert all(p.grad is None for p in small_model.parameters())
    small_model.zero_grad()


@pytest.mark.parametrize("autocast", [False, True])
def test_it_is_compiled_for_the_precision_of_the_steps(small_model, monkeypatch, autocast):
    seen = []

    def compile(self):
        def compiled(*inputs):
            seen.append(torch.is_autocast_enabled("cpu"))
            return self._call_impl(*inputs)

        self._compiled_call_impl = compiled

    monkeypatch.setattr(TransformerStage, "compile", compile)
    codec = copy.deepcopy(small_model)
    assert compile_codec(codec, 0.1 * torch.randn(1, 1, 3840), autocast=autocast)
    assert set(seen) == {autocast}


def test_not_asked_for_it_is_not_done(learner, monkeypatch):
    monkeypatch.setattr(TransformerStage, "compile", lambda self: pytest.fail("not asked for"))
    learner()

from dataclasses import replace

import pytest
import torch

from catok.modules.stack import CausalStack
from catok.training.compiling import compile_codec

from .conftest import CONFIG, same, some_batch

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

    monkeypatch.setattr(CausalStack, "compile", compile)
    return ran


def test_training_runs_through_the_compiled_sides(learner, compiler):
    plain, compiled = learner(), learner(COMPILED)
    sides = [compiled.codec.encoder, compiled.codec.decoder]
    assert list(map(id, compiler)) == list(map(id, sides))  # the trial
    assert same(compiled.codec.state_dict(), plain.codec.state_dict())
    assert compiled.step([some_batch()], 0, 0) == plain.step([some_batch()], 0, 0)
    assert list(map(id, compiler)) == 2 * list(map(id, sides))


@pytest.mark.parametrize("when", ["at once", "at the first call"])
def test_where_it_does_not_work_it_goes_on_without(learner, monkeypatch, caplog, when):
    def broken(self):
        if when == "at once":
            raise RuntimeError("no C++ compiler")
        self._compiled_call_impl = refuse

    def refuse(*_):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(CausalStack, "compile", broken)
    fallen = learner(COMPILED)
    assert fallen.codec.encoder._compiled_call_impl is None
    assert fallen.codec.decoder._compiled_call_impl is None
    assert "going on without: no C++ compiler" in caplog.text
    assert all(p.grad is None for p in fallen.codec.parameters())
    assert fallen.step([some_batch()], 0, 0) == learner().step([some_batch()], 0, 0)


def test_it_says_whether_it_worked(small_model, monkeypatch):
    monkeypatch.setattr(CausalStack, "compile", lambda self: None)
    assert compile_codec(small_model, 0.1 * torch.randn(1, 1, 3840))
    assert all(p.grad is None for p in small_model.parameters())
    small_model.zero_grad()


def test_not_asked_for_it_is_not_done(learner, monkeypatch):
    monkeypatch.setattr(CausalStack, "compile", lambda self: pytest.fail("not asked for"))
    learner()

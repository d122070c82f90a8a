"""Steps of training on the device; the last test lets FSDP have one rank."""

import socket
from dataclasses import replace

import pytest
import torch

from catok.modules.transformer import TransformerStage
from catok.training.codec.codebooks.quantizer_dropout import DropoutConfig
from catok.training.engine.optim import build_optimizer
from tests.training.conftest import CONFIG, some_batch, weights

from .conftest import ADVERSARIAL


def test_a_step_has_the_losses_of_the_cpu(device, new_learner):
    batch = some_batch(2)
    expected = new_learner("cpu").step([batch], 0).metrics
    found = new_learner(device).step([batch], 0).metrics
    assert found.keys() == expected.keys()
    for name in expected.keys() - {"revived"}:
        assert found[name] == pytest.approx(expected[name], rel=2e-2), name


def test_it_learns_and_its_state_goes_back_to_the_cpu(device, new_learner):
    made = new_learner(
        device, replace(ADVERSARIAL, quantizer_dropout=DropoutConfig(probability=0.0))
    )
    batch = some_batch(2)
    losses = [made.step([batch], step).metrics["waveform"] for step in range(25)]
    assert losses[-1] < losses[0]
    assert all(p.device.type == device.type for p in made.codec.parameters())
    back = new_learner("cpu")
    back.load_state_dict(made.state_dict())
    for name, weight in weights(made.codec).items():
        assert torch.equal(weight.cpu(), back.codec.get_parameter(name).detach())
    assert all(torch.isfinite(torch.tensor(list(back.step([batch], 25).metrics.values()))))


def test_bfloat16_steps_keep_float32_weights(device, new_learner):
    made = new_learner(device, replace(ADVERSARIAL, autocast=True))
    plain = new_learner(device).step([some_batch(2)], 0).metrics
    half = made.step([some_batch(2)], 0).metrics
    assert half["mel"] == pytest.approx(plain["mel"], rel=0.1)
    assert {p.dtype for p in made.codec.parameters()} == {torch.float32}


def test_compiled_steps_have_the_same_losses(cuda, new_learner):
    plain = new_learner(cuda).step([some_batch(2)], 0).metrics
    compiled = new_learner(cuda, replace(ADVERSARIAL, compile=True))
    stages = [m for m in compiled.codec.modules() if isinstance(m, TransformerStage)]
    assert all(stage._compiled_call_impl is not None for stage in stages)  # it did compile
    found = compiled.step([some_batch(2)], 0).metrics
    for name in ("mel", "waveform", "total"):
        assert found[name] == pytest.approx(plain[name], rel=2e-2), name


def test_a_step_does_not_wait_for_the_device_more_often_than_it_must(cuda, new_learner):
    """Numbers are brought back once; a sync per codebook or layer would starve a fast device."""
    made = new_learner(cuda, CONFIG)
    batch = some_batch(2)
    made.step([batch], 0)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with pytest.warns(UserWarning, match="synchronizing CUDA") as waits:
            made.step([batch], 1)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len([w for w in waits if "synchronizing CUDA" in str(w.message)]) <= 20


def test_fsdp_on_one_rank_has_the_same_losses(cuda, new_learner, monkeypatch):
    expected = new_learner(cuda).step([some_batch(2)], 0).metrics
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in (("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", port), ("RANK", 0)):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("WORLD_SIZE", "1")
    torch.distributed.init_process_group("cpu:gloo,cuda:nccl", rank=0, world_size=1)
    try:
        made = new_learner(cuda)
        made.apply_fsdp()
        made.optimizer = build_optimizer(
            made.generator.named_parameters(), made.config.optimizer, made.decays
        )
        found = made.step([some_batch(2)], 0).metrics
        for name in ("mel", "waveform", "total"):
            assert found[name] == pytest.approx(expected[name], rel=2e-2), name
    finally:
        torch.distributed.destroy_process_group()

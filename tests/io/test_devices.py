"""A device that is not here is a ValueError that says what to do."""

import pytest
import torch

from catok import CausalAudioTokenizer
from catok.io.devices import as_device
from catok.lm.model import TokenLM


def test_what_is_here():
    assert as_device("cpu") == as_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("built_with", [None, "12.8"])
def test_no_gpu(monkeypatch, built_with):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built_with)
    monkeypatch.setattr(torch.version, "hip", None)
    words = "built without CUDA, install one" if built_with is None else "no GPU or no driver"
    for load in (CausalAudioTokenizer.from_pretrained, TokenLM.from_pretrained):
        name = "tiny" if load.__self__ is CausalAudioTokenizer else "tiny-asr"
        with pytest.raises(ValueError, match=f"{words}.*or take .cpu."):
            load(name, device="cuda")


def test_no_such_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert as_device("cuda:1").index == 1
    with pytest.raises(ValueError, match="no cuda:2: CUDA devices here are 0 to 1"):
        as_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x"])
def test_no_such_name(name):
    with pytest.raises(ValueError, match='take "cpu", "cuda"'):
        as_device(name)

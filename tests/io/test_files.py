"""Files are whole or not there."""

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from catok.io import files


def test_safetensors_round_trip(tmp_path):
    files.write_safetensors(tmp_path / "x.safetensors", {"a": torch.arange(3)})
    assert torch.equal(load_file(tmp_path / "x.safetensors")["a"], torch.arange(3))
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def test_floats_may_be_narrowed(tmp_path):
    tensors = {"a": torch.ones(3, 2).t() / 3, "n": torch.arange(3)}
    files.write_safetensors(tmp_path / "x.safetensors", tensors, torch.float16)
    found = load_file(tmp_path / "x.safetensors")
    assert torch.equal(found["a"], tensors["a"].half()) and torch.equal(found["n"], tensors["n"])


def test_a_full_disk_is_an_oserror_and_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    files.write_safetensors(path, {"a": torch.arange(3)})

    def full(tensors, name, metadata):
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr(files, "save_file", full)
    with pytest.raises(OSError, match="is the disk full"):
        files.write_safetensors(path, {"a": torch.arange(4)})
    assert torch.equal(load_file(path)["a"], torch.arange(3))
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]

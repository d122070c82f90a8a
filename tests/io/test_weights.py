"""Files of weights: whole, finite, checksummed."""

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from catok.io.weights import write_weights


def test_round_trip(tmp_path):
    write_weights(tmp_path / "x.safetensors", {"a": torch.arange(3)})
    assert torch.equal(load_file(tmp_path / "x.safetensors")["a"], torch.arange(3))
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def test_floats_may_be_narrowed_but_for_some(tmp_path):
    tensors = {"a": torch.ones(3, 2).t() / 3, "n": torch.arange(3), "q": torch.ones(2) / 3}
    write_weights(tmp_path / "x.safetensors", tensors, "float16", float32=lambda name: name == "q")
    found = load_file(tmp_path / "x.safetensors")
    assert torch.equal(found["a"], tensors["a"].half()) and torch.equal(found["n"], tensors["n"])
    assert torch.equal(found["q"], tensors["q"])


def test_a_full_disk_is_an_oserror_and_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    write_weights(path, {"a": torch.arange(3)})

    def full(tensors, name, metadata):
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr("catok.io.weights.save_file", full)
    with pytest.raises(OSError, match="is the disk full"):
        write_weights(path, {"a": torch.arange(4)})
    assert torch.equal(load_file(path)["a"], torch.arange(3))
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize(
    ("weights", "dtype"),
    [([1.0, float("nan")], None), ([float("-inf")], None), ([1e6], torch.float16)],
)
def test_weights_that_are_not_finite_leave_the_old_file(tmp_path, weights, dtype):
    path = tmp_path / "x.safetensors"
    write_weights(path, {"a": torch.tensor([1.0])})
    with pytest.raises(ValueError, match=r"a is not finite in float(16|32)"):
        write_weights(path, {"a": torch.tensor(weights)}, dtype)
    assert load_file(path)["a"] == 1

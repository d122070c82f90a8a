"""A sharded state from somebody else: nothing in it is run, and damage is found."""

import json
import os
import pickle
import random
from pathlib import Path

import pytest
import torch

from catok.training.engine import sharded
from catok.training.engine.distributed import Group

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled")

STATE = {
    "generator": {"weight": torch.arange(6.0).view(2, 3), "half": torch.ones(3).bfloat16()},
    "average": {"updates": 3},
    "step": 7,
    "config": {"betas": (0.8, 0.99), "name": "x", "none": None, "list": [1, {"a": 2.5}]},
}


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def empty():
    return {
        "generator": {"weight": torch.zeros(2, 3), "half": torch.zeros(3).bfloat16()},
        "average": {"updates": 0},
        "step": 0,
    }


@pytest.fixture
def folder(tmp_path):
    sharded.save_sharded(tmp_path, STATE, Group())
    return sharded.find_sharded(tmp_path)


def test_what_is_saved_comes_back(folder):
    assert {"generator.weight", "average.updates", "step"} < sharded.names_in_sharded(folder)
    state = empty()
    sharded.load_sharded(folder, state, Group())
    assert torch.equal(state["generator"]["weight"], STATE["generator"]["weight"])
    assert state["generator"]["half"].tolist() == [1.0] * 3
    assert state["average"] == {"updates": 3} and state["step"] == 7


def test_an_index_runs_nothing(folder, tmp_path):
    for checksum in folder.glob("crc32-*"):
        checksum.unlink()
    (folder / ".metadata").write_bytes(pickle.dumps(Evil(tmp_path / "pwned")))
    with pytest.raises(ValueError, match="posix.mkdir.*no part of a saved state"):
        sharded.names_in_sharded(folder)
    with pytest.raises(ValueError, match="cannot be read"):
        sharded.load_sharded(folder, empty(), Group())
    assert not (tmp_path / "pwned").exists()


def test_what_is_no_tensor_runs_nothing(tmp_path):
    sharded.save_sharded(tmp_path, {"step": Evil(tmp_path / "pwned")}, Group())
    with pytest.raises(ValueError, match="cannot be read"):
        sharded.load_sharded(tmp_path / "last", {"step": 0}, Group())
    assert not (tmp_path / "pwned").exists()


def test_every_flipped_bit_is_found(folder):
    draw = random.Random(0)
    files = [file for file in folder.iterdir() if not file.name.startswith("crc32-")]
    assert {file.name for file in files} == set(json.loads((folder / "crc32-0.json").read_text()))
    for file in files:
        whole = file.read_bytes()
        for _ in range(5):
            data = bytearray(whole)
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
            file.write_bytes(data)
            with pytest.raises(ValueError, match="checksum differs"):
                sharded.load_sharded(folder, empty(), Group())
        file.write_bytes(whole)
    sharded.load_sharded(folder, empty(), Group())


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps([1]), pickle.dumps(None)])
def test_an_index_that_is_none(tmp_path, content):
    (tmp_path / ".metadata").write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read.*start anew"):
        sharded.names_in_sharded(tmp_path)


@pytest.mark.slow
def test_sharded_state_survives_a_kill_between_any_two_moves(tmp_path):
    def state(name, whole=True):
        (tmp_path / name).mkdir()
        if whole:
            (tmp_path / name / ".metadata").touch()
        return tmp_path / name

    assert sharded.find_sharded(tmp_path) is None
    state("last.new", whole=False)  # killed while the first was written
    assert sharded.find_sharded(tmp_path) is None
    last = state("last")
    assert sharded.find_sharded(tmp_path) == last
    old = last.rename(tmp_path / "last.old")  # killed between the two renames
    assert sharded.find_sharded(tmp_path) == old
    last = state("last")  # killed before the older one was removed
    assert sharded.find_sharded(tmp_path) == last
    # saving again cleans up, and never is without a whole state
    sharded.save_sharded(tmp_path, {"a": torch.ones(2)}, Group())
    assert [path.name for path in tmp_path.iterdir()] == ["last"]
    loaded = {"a": torch.zeros(2)}
    sharded.load_sharded(tmp_path / "last", loaded, Group())
    assert loaded["a"].tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="other networks"):
        sharded.load_sharded(tmp_path / "last", {"b": torch.zeros(2)}, Group())
    (tmp_path / "last").rename(tmp_path / "last.old")
    removed = []
    original = sharded.shutil.rmtree
    sharded.shutil.rmtree = lambda path, **k: (
        removed.append((Path(path).name, sharded.find_sharded(tmp_path))),
        original(path, **k),
    )
    try:
        sharded.save_sharded(tmp_path, {"a": torch.ones(2)}, Group())
    finally:
        sharded.shutil.rmtree = original
    assert all(found is not None for _, found in removed)

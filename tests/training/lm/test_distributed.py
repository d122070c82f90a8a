"""Two processes are one with twice the micro-batches, and resume exactly."""

from dataclasses import replace

import pytest
import torch

from catok.lm.speech_model import load_speech_model
from catok.training.engine.distributed import Group
from tests.training.engine.process_pair import Pair

from . import workers
from .test_trainer import results

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pair():
    """Calls functions in two processes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    pair = Pair()
    yield pair
    pair.stop()
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def alone(config, places, tmp_path_factory):
    """What one process gives for twice the micro-batches."""
    config = replace(config, log_every=4, accumulate=4)
    return workers.train(Group(), places, tmp_path_factory.mktemp("one"), config)


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_train_as_one_and_resume(config, places, pair, tmp_path, alone, parallel):
    config = replace(config, log_every=4, accumulate=2, parallel=parallel)
    first, second = pair(workers.train, places, tmp_path / "two", config)
    assert bool(first["sharded"]) == (parallel == "fsdp")
    assert all(name.startswith("model.backbone.") for name in first["sharded"])
    assert second["lines"] == [] and len(first["lines"]) == len(alone["lines"]) > 4
    for mine, other in zip(results(first["lines"]), results(alone["lines"]), strict=True):
        assert mine.keys() == other.keys()
        for name in mine.keys() - {"tts_channels"}:
            assert mine[name] == pytest.approx(other[name], rel=1e-4), (name, mine)
    for name, weight in first["weights"].items():
        assert torch.equal(weight, second["weights"][name]), name
        torch.testing.assert_close(weight, alone["weights"][name], rtol=1e-3, atol=1e-4)
    for task in ("tts", "asr"):
        assert load_speech_model(tmp_path / "two" / "model", task=task).model is not None

    resumed, _ = pair(workers.train, places, tmp_path / "cut", config, 3)
    after = [line for line in results(first["lines"]) if line["step"] > 3]
    assert results(resumed["lines"]) == after and len(after) == 4
    for name, weight in resumed["weights"].items():
        assert torch.equal(weight, first["weights"][name]), name
    state = "last" if parallel == "fsdp" else "last.pt"
    names = sorted(path.name for path in (tmp_path / "cut").iterdir())
    assert names == [state, "log.jsonl", "model"]

"""On a GPU everything is what it is on the CPU, to rounding. `make gpu-check` runs this folder.

GPU_CHECK_DEVICE=cpu runs what needs no CUDA on the CPU: a test of the tests.
"""

import copy
import os
from dataclasses import replace

import pytest
import torch

from catok.training.codec.learner import CodecLearner
from catok.training.codec.networks import build_codec_networks
from catok.training.codec.train_config import GanConfig, TrainStage
from catok.training.engine.distributed import Group
from tests.conftest import build, small_settings
from tests.training.conftest import CONFIG, small_presets

__all__ = ["small_presets"]  # an autouse fixture
NAME = os.environ.get("GPU_CHECK_DEVICE", "cuda")
ADVERSARIAL = replace(
    CONFIG,
    stages=(TrainStage(100, adversarial=True),),
    gan=GanConfig("toy"),
    weights={"waveform": 1.0, "compressed_spectrum": 1.0, "weighted_waveform": 1.0},
    ema=0.9,
)


@pytest.fixture(autouse=True)
def plain_float32():
    """Matrix products without TF32, or nothing would agree with the CPU."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.fixture
def device():
    if NAME == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    return torch.device(NAME)


@pytest.fixture
def cuda(device):
    if device.type != "cuda":
        pytest.skip("only a GPU has this")
    return device


@pytest.fixture
def model():
    """On the CPU."""
    return build(small_settings())


@pytest.fixture
def moved(model, device):
    """The same on the device."""
    return copy.deepcopy(model).to(device)


@pytest.fixture
def audio():
    draw = torch.Generator().manual_seed(0)
    time = torch.arange(48_000) / 24_000
    tones = torch.sin(2 * torch.pi * torch.tensor([[220.0], [550.0]]) * time)
    return (0.3 * tones + 0.02 * torch.randn(2, 48_000, generator=draw))[:, None]


@pytest.fixture
def new_learner():
    """Builds the same new learner on any device."""

    def make(device, config=ADVERSARIAL):
        torch.manual_seed(0)
        made = CodecLearner(config, build_codec_networks(config), Group(), torch.device(device))
        made.enter(config.stages[0])
        return made

    return make

"""The bundled recording of speech, and noise to spoil it with."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from catok import load_audio

SPEECH = Path(__file__).parents[3] / "examples" / "speech.flac"


@pytest.fixture(scope="session")
def speech() -> Tensor:
    """4 s at 16 kHz, `[1, 64000]`."""
    return load_audio(SPEECH, sample_rate=16_000)[0][:, :64_000]


def noisy(audio: Tensor, level: float) -> Tensor:
    noise = torch.randn(audio.shape, generator=torch.Generator().manual_seed(0))
    return audio + level * noise

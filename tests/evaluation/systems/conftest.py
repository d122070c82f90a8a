"""Recordings for codecs to work on, and a look at how far what they give is shifted."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from catok import load_audio

SPEECH = Path(__file__).parents[3] / "examples" / "speech.flac"


@pytest.fixture(scope="session")
def speech() -> tuple[Tensor, int]:
    """Four seconds of speech `[1, T]` and its rate; T is odd."""
    audio, rate = load_audio(SPEECH)
    return audio[:, rate : 5 * rate + 7], rate


@pytest.fixture
def shift_of():
    """Samples by which the second signal `[T]` lags the first, where they resemble each other most.

    A function of both.
    """

    def measure(original: Tensor, other: Tensor) -> int:
        size = 2 * max(len(original), len(other))
        spectra = [np.fft.rfft(x.double().numpy(), size) for x in (original, other)]
        correlation = np.fft.irfft(spectra[0].conj() * spectra[1], size)
        best = int(correlation.argmax())
        return best if best < size // 2 else best - size

    return measure


@pytest.fixture
def envelope():
    """Log energy `[T]` of a signal `[T]`, smoothed over `width` samples: a function of both."""

    def measure(signal: Tensor, width: int) -> Tensor:
        window = torch.hann_window(width)[None, None] / (width / 2)
        power = torch.nn.functional.conv1d(signal.square()[None, None], window, padding=width // 2)
        log = (power.flatten().clamp(min=0) + 1e-6).log()
        return log - log.mean()

    return measure

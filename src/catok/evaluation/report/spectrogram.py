"""Mel spectrograms as small pictures, all of one recording on one scale."""

import math

import numpy as np
import torch
from torch import Tensor

from catok.audio.resampling import mix
from catok.evaluation.report.png import png
from catok.modules.mel import mel_filters
from catok.modules.stft import stft_magnitude

MELS, WIDTH = 64, 256  # pixels
RANGE = 70.0  # dB below the loudest place of the original
COLOURS = 40
_WINDOW_SECONDS = 0.064


def loudness(audio: Tensor, sample_rate: int) -> Tensor:
    """Mel powers in dB, low frequencies first: `[MELS, at most WIDTH]` of audio `[C, T]`."""
    window = 2 ** max(6, round(math.log2(_WINDOW_SECONDS * sample_rate)))
    mono = mix(audio, 1)
    mono = torch.nn.functional.pad(mono, (0, max(0, window - mono.shape[1])))
    filters, _ = mel_filters(sample_rate, window, MELS)
    power = (stft_magnitude(mono, window)[0].square() @ filters).T
    if power.shape[1] > WIDTH:
        power = torch.nn.functional.adaptive_avg_pool1d(power[None], WIDTH)[0]
    return 10 * power.clamp(min=1e-12).log10()


def picture(levels: Tensor, loudest: float) -> bytes:
    """A PNG of what `loudness` gives; `loudest` in dB is the lightest colour."""
    scaled = (levels.flip(0) - (loudest - RANGE)) / RANGE * COLOURS
    return png(scaled.clamp(0, COLOURS - 1).numpy().astype(np.uint8), COLOURS)

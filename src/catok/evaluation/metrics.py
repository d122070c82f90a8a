"""Objective metrics, computed as the official evaluation toolkit does (paper section 8.1).

All take audio `[C, T]` or `[T]`, mix it to mono, resample it to 16 kHz and cut both signals to the
shorter one. They need the extra `catok[eval]`, and raise ValueError without it.
"""

import importlib
import warnings
from types import ModuleType
from typing import Literal

import numpy as np
from torch import Tensor

from catok.resampling import describe, mix, resample

METRIC_RATE = 16_000  # Hz
_PESQ_SHORTEST = 0.25  # seconds, the least that ITU-T P.862 works on


def stoi(reference: Tensor, degraded: Tensor, sample_rate: int) -> float:
    """Short-time objective intelligibility (not extended), up to 1, higher is better.

    Raises ValueError when a signal is silent or not finite, or holds less than 0.4 s of speech.
    """
    library = _extra("pystoi")
    pair = _prepare(reference, degraded, sample_rate)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        score = library.stoi(*pair, METRIC_RATE, extended=False)
    if any("Not enough STFT frames" in str(warning.message) for warning in caught):
        raise ValueError("STOI needs at least 0.4 s of speech: leave shorter recordings out")
    return float(score)


def pesq(
    reference: Tensor, degraded: Tensor, sample_rate: int, mode: Literal["wb", "nb"] = "wb"
) -> float:
    """Perceptual evaluation of speech quality, ITU-T P.862: MOS-LQO from 1 to about 4.6.

    `mode` "wb" is wide-band (P.862.2), "nb" narrow-band. Raises ValueError when a signal is silent
    or not finite, shorter than 0.25 s, or when no speech is found in it.
    """
    if mode not in ("wb", "nb"):
        raise ValueError(f'mode must be "wb" or "nb", got {mode!r}')
    library = _extra("pesq")
    clean, other = _prepare(reference, degraded, sample_rate)
    seconds = len(clean) / METRIC_RATE
    if seconds < _PESQ_SHORTEST:
        raise ValueError(f"PESQ needs at least {_PESQ_SHORTEST} s, got {seconds:.3f} s")
    try:
        return float(library.pesq(METRIC_RATE, clean, other, mode))
    except library.PesqError as error:
        raise ValueError(f"PESQ cannot compare these signals ({error}): is it speech?") from error


def _prepare(reference: Tensor, degraded: Tensor, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Both signals in mono at `METRIC_RATE`, equally long."""
    signals = {"reference": reference, "degraded": degraded}
    mono = [_mono(signal, rate, name) for name, signal in signals.items()]
    shorter = min(len(signal) for signal in mono)
    for name, signal in zip(signals, mono, strict=True):
        if not signal[:shorter].any():
            raise ValueError(f"the {name} signal is silent: there is nothing to compare")
    return mono[0][:shorter], mono[1][:shorter]


def _mono(audio: Tensor, rate: int, name: str) -> np.ndarray:
    audio = audio[None] if audio.dim() == 1 else audio
    if audio.dim() != 2 or audio.numel() == 0 or not audio.is_floating_point():
        raise ValueError(f"{name}: expected float audio [C, T] or [T], got {describe(audio)}")
    if not bool(audio.isfinite().all()):
        raise ValueError(f"the {name} signal holds NaN or infinite samples")
    return resample(mix(audio, 1), rate, METRIC_RATE)[0].detach().float().cpu().numpy()


def _extra(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(f"{name} is not installed: pip install catok[eval]") from error

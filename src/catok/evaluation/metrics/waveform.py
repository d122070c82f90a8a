"""Signal to distortion in the waveform, mono at 16 kHz like the other figures.

With reference s and output y, both made free of their means:
SI-SDR = 10 log10(|a s|^2 / |a s - y|^2), a = <y, s> / <s, s> (Le Roux et al. 2019).
SDR here is the plain ratio 10 log10(|s|^2 / |s - y|^2), not that of BSS Eval, which forgives a
filter; without the means being taken off.
Codecs that do not keep the waveform's phase score low in both, however good they sound.
"""

import numpy as np
from torch import Tensor

from catok.evaluation.metrics.base import Column
from catok.evaluation.preprocessing import aligned_mono, make_sample
from catok.evaluation.sample import Sample

LIMIT = 100.0  # dB: more is rounding of float32; keeps means over files finite


def si_sdr(reference: Tensor, output: Tensor, sample_rate: int) -> float:
    """Scale-invariant SDR in dB of `[C, T]` or `[T]` audio, limited to -100 ... 100.

    Raises ValueError when a signal is silent, constant or not finite.
    """
    return _si_sdr(make_sample(reference, output, sample_rate))


def sdr(reference: Tensor, output: Tensor, sample_rate: int) -> float:
    """Plain SDR in dB of `[C, T]` or `[T]` audio, limited to -100 ... 100.

    Raises ValueError when the reference is silent or a signal not finite.
    """
    return _sdr(make_sample(reference, output, sample_rate))


class WaveformMetric:
    """SI-SDR and SDR."""

    speech_only = False
    columns = (
        Column("si_sdr", "SI-SDR", unit="dB", digits=2),
        Column("sdr", "SDR", unit="dB", digits=2),
    )

    def __call__(self, sample: Sample) -> dict[str, float]:
        """Raises ValueError as `si_sdr` does."""
        return {"si_sdr": _si_sdr(sample), "sdr": _sdr(sample)}


def _si_sdr(sample: Sample) -> float:
    centered = []
    for name, signal in zip(("reference", "output"), aligned_mono(sample), strict=True):
        signal = signal.astype(np.float64)
        if signal.min() == signal.max():
            raise ValueError(f"the {name} signal is constant: SI-SDR is not defined")
        centered.append(signal - signal.mean())
    reference, output = centered
    target = reference * (output @ reference) / (reference @ reference)
    return _decibels(target, target - output)


def _sdr(sample: Sample) -> float:
    reference, output = (s.astype(np.float64) for s in aligned_mono(sample, silent_output=True))
    return _decibels(reference, reference - output)


def _decibels(signal: np.ndarray, error: np.ndarray) -> float:
    """Ratio of the energies."""
    with np.errstate(divide="ignore"):
        return float(
            np.clip(10 * np.log10(_energy(signal)) - 10 * np.log10(_energy(error)), -LIMIT, LIMIT)
        )


def _energy(signal: np.ndarray) -> np.float64:
    return np.dot(signal, signal)

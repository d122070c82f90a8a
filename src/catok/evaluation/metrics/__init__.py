"""Figures of quality, one idea per file; `suite` builds them by name."""

from catok.evaluation.metrics.intelligibility import stoi
from catok.evaluation.metrics.quality import pesq
from catok.evaluation.metrics.spectral import mel_distance, spectral_convergence, stft_distance
from catok.evaluation.metrics.waveform import sdr, si_sdr

__all__ = [
    "mel_distance",
    "pesq",
    "sdr",
    "si_sdr",
    "spectral_convergence",
    "stft_distance",
    "stoi",
]

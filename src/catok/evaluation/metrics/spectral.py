"""Distances of mel and magnitude spectrograms, as the official evaluation has them.

Paper section 8.1: mono at 16 kHz, windows of 2048 and 512 samples, hop a quarter of the window, the
root of a periodic Hann window, magnitudes S (power 1), 150 and 80 mel bins. Distance of a scale:
mean |log10(max(S, 1e-5)^2) - log10(max(S', 1e-5)^2)| + mean |S - S'|, summed over both scales.

The section leaves open, and we take as DAC's metrics have it (audiotools on librosa's filters):
frames centred on their hop with the ends reflected, windows not normalised, mel bands from 0 to
8 kHz on Slaney's scale with triangles of unit area. Reflecting needs more samples than half a
window: shorter recordings are padded with zeros to one window.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from catok.evaluation.metrics.base import Column
from catok.evaluation.preprocessing import METRIC_RATE, aligned_mono, make_sample
from catok.evaluation.sample import Sample
from catok.modules.constant import constant
from catok.modules.mel import mel_filters

SCALES = ((2048, 150), (512, 80))  # window in samples, mel bins
FLOOR = 1e-5  # magnitudes below it are silence


def mel_distance(reference: Tensor, output: Tensor, sample_rate: int) -> float:
    """Distance of the mel spectrograms of `[C, T]` or `[T]` audio, from 0, lower is better.

    Raises ValueError when a signal is not finite or the reference is silent.
    """
    return spectral_figures(make_sample(reference, output, sample_rate))["mel_distance"]


def stft_distance(reference: Tensor, output: Tensor, sample_rate: int) -> float:
    """Distance of the magnitude spectrograms; otherwise as `mel_distance`."""
    return spectral_figures(make_sample(reference, output, sample_rate))["stft_distance"]


def spectral_convergence(reference: Tensor, output: Tensor, sample_rate: int) -> float:
    """||S - S'|| / ||S|| (Frobenius), the mean of both scales; otherwise as `mel_distance`."""
    return spectral_figures(make_sample(reference, output, sample_rate))["spectral_convergence"]


class SpectralMetric:
    """All three distances of spectrograms; for any sound, not only speech."""

    speech_only = False
    columns = (
        Column("mel_distance", "mel distance", "lower"),
        Column("stft_distance", "STFT distance", "lower"),
        Column("spectral_convergence", "spectral convergence", "lower"),
    )

    def __call__(self, sample: Sample) -> dict[str, float]:
        """Raises ValueError when the reference is silent."""
        return spectral_figures(sample)


@torch.no_grad()
def spectral_figures(sample: Sample) -> dict[str, float]:
    """A figure for each column of `SpectralMetric`."""
    mel = stft = convergence = 0.0
    for bins, reference, output in _magnitudes(sample):
        filters, _ = mel_filters(METRIC_RATE, 2 * (len(reference) - 1), bins)
        mel += _distance(filters.T @ reference, filters.T @ output)
        stft += _distance(reference, output)
        convergence += float((reference - output).norm() / reference.norm()) / len(SCALES)
    return {"mel_distance": mel, "stft_distance": stft, "spectral_convergence": convergence}


def _magnitudes(sample: Sample) -> Iterator[tuple[int, Tensor, Tensor]]:
    """For each scale its mel bins and both spectrograms `[window / 2 + 1, frames]`."""
    signals = [torch.from_numpy(s) for s in aligned_mono(sample, silent_output=True)]
    for window, bins in SCALES:
        first, second = (_magnitude(signal, window) for signal in signals)
        yield bins, first, second


def _magnitude(signal: Tensor, window: int) -> Tensor:
    if len(signal) <= window // 2:
        signal = F.pad(signal, (0, window - len(signal)))
    shape = _root_hann(window)
    return torch.stft(signal, window, window // 4, window=shape, return_complex=True).abs()


@constant
def _root_hann(window: int) -> Tensor:
    return torch.hann_window(window, dtype=torch.float64).sqrt().float()


def _distance(reference: Tensor, output: Tensor) -> float:
    logs = [2 * spectrum.clamp(min=FLOOR).log10() for spectrum in (reference, output)]
    return float((logs[0] - logs[1]).abs().mean() + (reference - output).abs().mean())

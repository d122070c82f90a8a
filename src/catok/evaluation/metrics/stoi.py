"""Short-time objective intelligibility, plain and extended, by the package pystoi.

STOI: Taal et al. 2011, what the paper reports (section 8.1); ESTOI: Jensen and Taal 2016.
"""

import warnings

from torch import Tensor

from catok.evaluation.extras import import_extra
from catok.evaluation.metrics.base import Column
from catok.evaluation.preprocessing import METRIC_RATE, aligned_mono, make_sample
from catok.evaluation.sample import Sample


def stoi(reference: Tensor, output: Tensor, sample_rate: int, *, extended: bool = False) -> float:
    """STOI, or ESTOI if `extended`, of `[C, T]` or `[T]` audio: up to 1, higher is better.

    Both signals are mixed to mono, resampled to 16 kHz and cut to the shorter. Raises ValueError
    when one is silent or not finite, or holds less than 0.4 s of speech.
    """
    return _stoi(make_sample(reference, output, sample_rate), extended)


class StoiMetric:
    """STOI and ESTOI at 16 kHz."""

    speech_only = True
    columns = (Column("stoi", "STOI"), Column("estoi", "ESTOI"))

    def __init__(self) -> None:
        import_extra("pystoi")

    def __call__(self, sample: Sample) -> dict[str, float]:
        """Raises ValueError as `stoi` does."""
        return {"stoi": _stoi(sample, False), "estoi": _stoi(sample, True)}


def _stoi(sample: Sample, extended: bool) -> float:
    library = import_extra("pystoi")
    signals = aligned_mono(sample)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        score = library.stoi(*signals, METRIC_RATE, extended=extended)
    if any("Not enough STFT frames" in str(warning.message) for warning in caught):
        raise ValueError("STOI needs at least 0.4 s of speech: leave shorter recordings out")
    return float(score)

"""Perceptual evaluation of speech quality by the package pesq: ITU-T P.862.1 and P.862.2."""

from typing import Literal

from torch import Tensor

from catok.evaluation.extras import import_extra
from catok.evaluation.metrics.base import Column
from catok.evaluation.preprocessing import METRIC_RATE, aligned_mono, make_sample
from catok.evaluation.sample import Sample

_SHORTEST = 0.25  # seconds, the least that ITU-T P.862 works on


def pesq(
    reference: Tensor, output: Tensor, sample_rate: int, mode: Literal["wb", "nb"] = "wb"
) -> float:
    """MOS-LQO of `[C, T]` or `[T]` audio, from 1 to about 4.6, higher is better.

    `mode` "wb" is wide-band (P.862.2), "nb" narrow-band (P.862.1). Both signals are mixed to mono,
    resampled to 16 kHz and cut to the shorter. Raises ValueError when one is silent or not finite,
    shorter than 0.25 s, or when no speech is found in it.
    """
    if mode not in ("wb", "nb"):
        raise ValueError(f'mode must be "wb" or "nb", got {mode!r}')
    return _pesq(make_sample(reference, output, sample_rate), mode)


class PesqMetric:
    """PESQ narrow-band and wide-band, both at 16 kHz as in the paper (section 8.1)."""

    speech_only = True
    columns = (Column("pesq_nb", "PESQ-NB"), Column("pesq_wb", "PESQ-WB"))

    def __init__(self) -> None:
        import_extra("pesq")

    def __call__(self, sample: Sample) -> dict[str, float]:
        """Raises ValueError as `pesq` does."""
        return {"pesq_nb": _pesq(sample, "nb"), "pesq_wb": _pesq(sample, "wb")}


def _pesq(sample: Sample, mode: str) -> float:
    library = import_extra("pesq")
    clean, degraded = aligned_mono(sample)
    seconds = len(clean) / METRIC_RATE
    if seconds < _SHORTEST:
        raise ValueError(f"PESQ needs at least {_SHORTEST} s, got {seconds:.3f} s")
    try:
        return float(library.pesq(METRIC_RATE, clean, degraded, mode))
    except library.PesqError as error:
        raise ValueError(f"PESQ cannot compare these signals ({error}): is it speech?") from error

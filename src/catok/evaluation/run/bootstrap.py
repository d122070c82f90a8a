"""Means over recordings with bootstrap intervals (Efron and Tibshirani 1993, chapter 13)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95
SEED = 0


@dataclass(frozen=True)
class Estimate:
    """A mean (or a ratio of sums) with its 95 % interval; None throughout without figures.

    `scored`: recordings that have a figure; `failed`: recordings where something went wrong.
    """

    mean: float | None
    low: float | None
    high: float | None
    scored: int
    failed: int = 0


def bootstrap_mean(values: Sequence[float], failed: int = 0) -> Estimate:
    """The mean and its percentile interval over resampled recordings. Seeded: always the same."""
    return bootstrap_ratio(values, [1.0] * len(values), failed)


def bootstrap_ratio(
    numerators: Sequence[float], denominators: Sequence[float], failed: int = 0
) -> Estimate:
    """sum(numerators) / sum(denominators), recordings resampled as pairs.

    With numerators word errors and denominators words this is the word error rate of a corpus.
    """
    above = np.asarray(numerators, dtype=np.float64)
    below = np.asarray(denominators, dtype=np.float64)
    if len(above) == 0 or below.sum() == 0:
        return Estimate(None, None, None, 0, failed)
    low = high = value = float(above.sum() / below.sum())
    if len(above) > 1:
        drawn = _resampled_indices(len(above))
        sums = below[drawn].sum(1)
        resampled = above[drawn].sum(1)[sums > 0] / sums[sums > 0]
        tail = 50 * (1 - LEVEL)
        low, high = (float(p) for p in np.percentile(resampled, (tail, 100 - tail)))
    return Estimate(value, low, high, len(above), failed)


@lru_cache(maxsize=4)
def _resampled_indices(count: int) -> np.ndarray:
    """`[RESAMPLES, count]` places, the same for all systems, which are thereby compared on the
    same resampled recordings.
    """
    return np.random.default_rng(SEED).integers(count, size=(RESAMPLES, count))

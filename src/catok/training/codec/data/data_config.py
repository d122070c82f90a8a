"""What batches are made of: corpora, their mixture, and the shape of a batch."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class CorpusConfig:
    """One corpus: `path` is anything that `read_cuts` reads.

    `weight`: its share of what is drawn, relative to the other corpora's (None, for all of them:
    by their hours); `domain`: that of its recordings that state none.
    """

    path: str
    weight: float | None = None
    domain: str | None = None

    def __post_init__(self) -> None:
        if self.weight is not None and not 0 < self.weight < float("inf"):
            raise ValueError(f"weight of {self.path} must be positive, got {self.weight}")


@dataclass(frozen=True)
class DataConfig:
    """How recordings become batches.

    `mode`: "crops" of one length, or whole recordings in duration "buckets".
    crops: `crop_seconds`: length of each; `batch_size`: how many per rank.
    buckets: `max_seconds`: longer recordings give crops of this length; `batch_seconds`: audio per
    batch and rank, padding included; `num_buckets`: kinds of length.
    `domain_weights`: how often each domain is drawn (empty: by its hours); `min_band_edge`:
    recordings that carry less, in Hz, are left out. Weights share out time in crops, and
    recordings in buckets.
    `gain_db`: range of a random gain, or `loudness_db`: range of a random RMS level in dBFS; both
    applied as far as nothing clips.
    `shuffle_buffer`: how many recordings are shuffled at a time where they are streamed or
    bucketed; `workers`: threads that decode ahead; `corpora`: what to train on.
    """

    mode: Literal["crops", "buckets"] = "crops"
    crop_seconds: float = 2.56
    batch_size: int = 6
    max_seconds: float = 30.0
    batch_seconds: float = 60.0
    num_buckets: int = 10
    domain_weights: dict[str, float] = field(default_factory=dict)
    min_band_edge: float = 0.0
    gain_db: tuple[float, float] = (0.0, 0.0)
    loudness_db: tuple[float, float] | None = None
    shuffle_buffer: int = 4096
    workers: int = 0
    corpora: tuple[CorpusConfig, ...] = ()

    def __post_init__(self) -> None:
        if not self.crop_seconds > 0 or self.batch_size < 1:
            raise ValueError("data.crop_seconds must be positive and data.batch_size at least 1")
        if not 0 < self.max_seconds <= self.batch_seconds:
            raise ValueError("data.batch_seconds must hold one recording of data.max_seconds")
        if self.num_buckets < 2 or self.shuffle_buffer < 1 or self.workers < 0:
            raise ValueError("data needs num_buckets >= 2, shuffle_buffer >= 1 and workers >= 0")
        if any(not weight > 0 for weight in self.domain_weights.values()):
            raise ValueError("data.domain_weights must be positive: leave out unwanted domains")
        if self.loudness_db is not None and self.gain_db != (0.0, 0.0):
            raise ValueError("give data.loudness_db or data.gain_db, not both")
        for name, limits in (("gain_db", self.gain_db), ("loudness_db", self.loudness_db)):
            if limits is not None and limits[0] > limits[1]:
                raise ValueError(f"data.{name} must be (lowest, highest), got {limits}")


def no_recording_of(domains: Iterable[str]) -> ValueError:
    """What to raise where `domain_weights` names domains that the data does not have."""
    return ValueError(
        f"data.domain_weights names {sorted(domains)}, but no recording is of it: give recordings "
        'their "domain" in a manifest, or take all by their hours with --set data.domain_weights={}'
    )

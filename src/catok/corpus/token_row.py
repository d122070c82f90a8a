"""What a token shard holds: one row per recording, and what all of its codes were made with."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from catok.io.config import read_config


@dataclass(frozen=True)
class CodeSpace:
    """What the codes of a shard were made with; shards of one data set agree in all of it.

    `model`: name, folder or hub id. `weight_hash`: of its quantizer. `dtype`: of encoder
    arithmetic. `sample_rate` in Hz, `frame_size` in samples per channel. `version`: of catok.
    """

    model: str
    weight_hash: str
    dtype: str
    num_quantizers: int
    codebook_size: int
    sample_rate: int
    channels: int
    frame_size: int
    version: str

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.frame_size

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "CodeSpace":
        """Read `to_dict`'s output. Raises ValueError on unknown, missing or ill-typed keys."""
        return read_config(cls, data, "the code space of a token shard")

    def check_same(self, other: "CodeSpace", where: str) -> None:
        """Raise ValueError where codes of `other` may not be mixed with these."""
        mine, theirs = self.to_dict(), other.to_dict()
        differing = [
            f"{key} {theirs[key]!r} instead of {mine[key]!r}"
            for key in mine
            if key not in ("version", "model") and mine[key] != theirs[key]
        ]
        if differing:
            raise ValueError(
                f"{where} holds other codes ({', '.join(differing)}): choose another output folder"
            )


@dataclass(frozen=True)
class TokenRow:
    """The codes `[F, K]` uint16 of one recording, frame by frame, and all that is known of it.

    `samples`: its exact length per channel at `sample_rate` of its code space. `columns`: what the
    input said of it, such as text and speaker; their values can be written as JSON.
    """

    id: str
    codes: np.ndarray
    samples: int
    columns: Mapping[str, Any] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """Number of frames F."""
        return self.codes.shape[0]

    def prefix(self, num_quantizers: int | None) -> "TokenRow":
        """The first codebooks only (None: all of them)."""
        if num_quantizers is None or num_quantizers == self.codes.shape[1]:
            return self
        return TokenRow(self.id, self.codes[:, :num_quantizers], self.samples, self.columns)

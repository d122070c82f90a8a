"""The state of streams in onnxruntime: a value, as `catok.modules.streaming_state` has it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from catok.export.description import LayerState
from catok.extras import imported


@dataclass
class OnnxState:
    """What a step graph remembers: `positions` `[B]` int64, frames of codes that each row has seen,
    and of every layer a ring of keys and one of values, in onnxruntime's own arrays.
    """

    positions: np.ndarray
    rings: tuple[Any, ...]

    @classmethod
    def initial(cls, layers: Sequence[LayerState], batch_size: int) -> "OnnxState":
        """Of `batch_size` rows that have seen nothing."""
        shapes = [(batch_size, each.heads, each.slots, each.head_dim) for each in layers]
        rings = [np.zeros(shape, np.float32) for shape in shapes for _ in ("key", "value")]
        return cls(np.zeros(batch_size, np.int64), _as_values(rings))

    @property
    def batch_size(self) -> int:
        """Number of rows B."""
        return len(self.positions)

    def named_rings(self) -> Iterator[tuple[str, Any]]:
        """Every ring, with its name in the graphs less "past_key_values." or "present."."""
        for index, ring in enumerate(self.rings):
            yield f"{index // 2}.{'value' if index % 2 else 'key'}", ring

    def reset(self, rows: Any = None) -> "OnnxState":
        """Start rows anew, as if they had never heard anything; returns this same state.

        `rows`: indices, a bool mask `[B]`, or None for all rows. Raises ValueError on a row that
        does not exist.
        """
        keep = np.ones(self.batch_size, bool)
        if rows is None:
            keep[:] = False
        else:
            rows = np.asarray(rows)
            if rows.dtype == bool and rows.shape != keep.shape:
                raise ValueError(f"a row mask needs shape [{self.batch_size}], got {rows.shape}")
            try:
                keep[rows if rows.size else []] = False
            except IndexError as error:
                raise ValueError(f"this state has {self.batch_size} rows, not {rows}") from error
        self.positions = self.positions * keep
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {"positions": self.positions, "rings": [ring.numpy() for ring in self.rings]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.positions, self.rings = state["positions"], _as_values(state["rings"])


def _as_values(arrays: Sequence[np.ndarray]) -> tuple[Any, ...]:
    make = imported("onnxruntime", "export").OrtValue.ortvalue_from_numpy
    return tuple(make(array) for array in arrays)

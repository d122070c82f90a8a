"""Streaming state as a value: what a causal stack remembers of each row, and nothing else.

A step takes a state and returns the next one; the old one stays valid, so a stream can be forked
or replayed. Every row has its own clock: rows pause, restart and end independently.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import pad

if TYPE_CHECKING:
    from catok.modules.cache_update import CacheBuffer


@dataclass
class StageState:
    """The memory of one Transformer stage: frames seen per row and recent keys and values.

    `positions` `[B]` int64; `keys` and `values` per layer `[B, H, P, D]`, the newest last, P at
    most window - 1 and common to all rows: a row that has seen fewer than P frames owns only its
    last `positions` entries. They may lie in a `buffer`, up to its frame `end`, see `cache_update`.
    """

    positions: Tensor
    keys: tuple[Tensor, ...] = field(repr=False)
    values: tuple[Tensor, ...] = field(repr=False)
    buffer: "CacheBuffer | None" = field(default=None, repr=False, compare=False)
    end: int = field(default=0, repr=False, compare=False)

    @property
    def past(self) -> int:
        """P."""
        return self.keys[0].shape[2]

    def first(self) -> Tensor | None:
        """Index `[B]` of the first cached key that each row owns; None where it is 0 for all.

        A GPU is not asked for that: it would have to be waited for.
        """
        first = self.past - self.positions.clamp(max=self.past)
        if first.device.type == "cpu" and not torch.compiler.is_compiling() and not first.any():
            return None
        return first

    def row(self, index: int) -> "StageState":
        """One row alone, a copy, with the keys and values that it owns and no others."""
        owned = slice(self.past - min(self.past, int(self.positions[index])), self.past)

        def copied(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return tuple(each[index : index + 1, :, owned].clone() for each in tensors)

        return StageState(
            self.positions[index : index + 1].clone(), copied(self.keys), copied(self.values)
        )

    def __reduce__(self) -> tuple[type["StageState"], tuple[object, ...]]:
        """Copied and pickled without the buffer, which other states share."""

        def copied(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return tuple(each.clone() for each in tensors)

        return StageState, (self.positions, copied(self.keys), copied(self.values))

    @staticmethod
    def join(states: Sequence["StageState"]) -> "StageState":
        """The rows of several states in one."""
        longest = max(state.past for state in states)

        def together(layers: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
            return tuple(
                torch.cat([pad(each, (0, 0, longest - each.shape[2], 0)) for each in layer])
                for layer in zip(*layers, strict=True)
            )

        return StageState(
            torch.cat([state.positions for state in states]),
            together([state.keys for state in states]),
            together([state.values for state in states]),
        )


@dataclass
class StackState:
    """The memory of an encoder or decoder: one `StageState` for each Transformer stage."""

    stages: tuple[StageState, ...]
    of_decoder: bool = False

    @property
    def batch_size(self) -> int:
        """Number of rows B."""
        return self.stages[0].positions.shape[0]

    def reset(self, rows: Sequence[int] | Tensor | int | None = None) -> "StackState":
        """Start rows anew, as if they had never heard anything; returns this same state.

        `rows`: indices, a bool mask `[B]`, or None for all rows. Raises ValueError on a row that
        does not exist.
        """
        keep = torch.ones(self.batch_size, dtype=torch.bool, device="cpu")
        if rows is None:
            keep[:] = False
        else:
            rows = torch.as_tensor(rows, device="cpu")
            rows = rows if rows.numel() else rows.long()  # a list of no rows has no type
            if rows.dtype == torch.bool and rows.shape != keep.shape:
                raise ValueError(f"a row mask needs shape [{self.batch_size}], got {rows.shape}")
            try:
                keep[rows] = False
            except IndexError as error:
                raise ValueError(
                    f"this state has rows 0 to {self.batch_size - 1}, not {rows.tolist()}"
                ) from error
        for stage in self.stages:
            stage.positions = stage.positions * keep.to(stage.positions.device)
        return self

    def row(self, index: int) -> "StackState":
        """One row alone, a copy."""
        return replace(self, stages=tuple(stage.row(index) for stage in self.stages))

    @staticmethod
    def join(states: Sequence["StackState"]) -> "StackState":
        """The rows of several states in one: the stepped result is that of each alone."""
        stages = zip(*(state.stages for state in states), strict=True)
        return replace(states[0], stages=tuple(StageState.join(stage) for stage in stages))

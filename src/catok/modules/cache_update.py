"""How a step's keys and values come behind those of the state before it.

Plainly, past and chunk are copied into new tensors in every step; but for the small steps of a
stream that is much copying for a few frames. So a state's keys may lie in a buffer with space
behind them, which the next state writes on into. The old state stays as it was: it never looks
there.
"""

import threading
from typing import Protocol

import torch
from torch import Tensor

from catok.modules.streaming_state import StageState

SMALL_STEP = 8  # so many of them fit into what a state keeps


class CacheBuffer:
    """Space `[L, 2, B, H, S, D]` for the keys and values of a stream's next steps.

    `filled`: frames of it that some state has written. Where streams fork, the first to go on from
    a state writes behind it, and the others find the space taken.
    """

    def __init__(self, space: Tensor, filled: int) -> None:
        self.space, self.filled = space, filled
        self._lock = threading.Lock()

    def take(self, end: int, steps: int) -> bool:
        """Whether the frames behind `end` were free and have become the caller's."""
        with self._lock:
            if self.filled != end or end + steps > self.space.shape[4]:
                return False
            self.filled += steps
            return True


class CacheUpdate(Protocol):
    """Takes the chunks of one layer after the other."""

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """The next layer's chunk `[B, H, T, D]` -> past and chunk, `[B, H, P + T, D]`."""
        ...

    def next_state(self) -> StageState:
        """The state after the step, which keeps the newest frames."""
        ...


def begin_update(
    state: StageState, steps: int, capacity: int, active: Tensor | None = None
) -> CacheUpdate:
    """What follows on a state when all rows, or those that are `active`, take so many frames.

    The next state keeps `capacity` of them.
    """
    small = steps * SMALL_STEP <= capacity
    if small and active is None and not _must_copy():
        return InPlaceUpdate(state, steps, capacity)
    return CopyingUpdate(state, steps, capacity, active)


def _must_copy() -> bool:
    """Gradients need every tensor as it was; compiled code has no buffers."""
    return torch.is_grad_enabled() or torch.compiler.is_compiling()


class CopyingUpdate:
    """Past and chunk in new tensors: the reference, for steps of any size and rows that wait."""

    def __init__(
        self, state: StageState, steps: int, capacity: int, active: Tensor | None = None
    ) -> None:
        self._past = zip(state.keys, state.values, strict=True)
        advance = steps if active is None else steps * active
        self._positions = state.positions + advance
        self._active, self._capacity = active, capacity
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """As `CacheUpdate.append`."""
        past_keys, past_values = next(self._past)
        return self._together(past_keys, keys, self._keys), self._together(
            past_values, values, self._values
        )

    def _together(self, past: Tensor, chunk: Tensor, kept: list[Tensor]) -> Tensor:
        together = recent = torch.cat((past, chunk), dim=2)
        if self._active is not None:
            idle = torch.cat((chunk, past), dim=2)  # rows that wait keep theirs, still at the end
            recent = torch.where(self._active[:, None, None, None], together, idle)
        kept.append(recent[:, :, max(0, recent.shape[2] - self._capacity) :])
        return together

    def next_state(self) -> StageState:
        """As `CacheUpdate.next_state`."""
        return StageState(self._positions, tuple(self._keys), tuple(self._values))


class InPlaceUpdate:
    """The chunk is written behind the past, into the buffer of the state or a new one."""

    def __init__(self, state: StageState, steps: int, capacity: int) -> None:
        self._positions = state.positions + steps
        buffer, end = state.buffer, state.end
        if buffer is None or not _writable(buffer.space) or not buffer.take(end, steps):
            buffer, end = _new_buffer(state, steps, capacity), state.past
            buffer.take(end, steps)
        self._buffer, self._end = buffer, end + steps
        self._chunk = slice(end, end + steps)
        self._seen = slice(end - state.past, end + steps)
        self._kept = slice(max(end - state.past, self._end - capacity), self._end)
        self._layer = -1

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """As `CacheUpdate.append`."""
        self._layer += 1
        own_keys, own_values = self._buffer.space[self._layer].unbind()
        own_keys[:, :, self._chunk] = keys
        own_values[:, :, self._chunk] = values
        return own_keys[:, :, self._seen], own_values[:, :, self._seen]

    def next_state(self) -> StageState:
        """As `CacheUpdate.next_state`."""
        keys, values = self._buffer.space[:, :, :, :, self._kept].unbind(1)
        return StageState(self._positions, keys.unbind(), values.unbind(), self._buffer, self._end)


def _writable(space: Tensor) -> bool:
    """What was made in inference mode may be written there only."""
    return torch.is_inference_mode_enabled() or not space.is_inference()


def _new_buffer(state: StageState, steps: int, capacity: int) -> CacheBuffer:
    """With a copy of what the state remembers, and space for a few steps or a quarter more."""
    past = state.past
    batch, heads, _, size = state.keys[0].shape
    spare = max(2 * steps, past // 4)
    space = state.keys[0].new_empty(len(state.keys), 2, batch, heads, past + spare, size)
    for layer, (keys, values) in enumerate(zip(state.keys, state.values, strict=True)):
        space[layer, 0, :, :, :past] = keys
        space[layer, 1, :, :, :past] = values
    return CacheBuffer(space, past)

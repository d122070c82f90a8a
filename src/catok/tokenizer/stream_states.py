"""What a model remembers of many streams, any of which may be stepped together.

Streams that were stepped together stay together, as rows of one state. As long as the same ones are
stepped, nothing is copied; otherwise rows are gathered from where they are, a state at a time.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from catok.modules.streaming_state import StackState, StageState


@dataclass(eq=False)
class _Group:
    """Rows of one state. `rows`: which row is whose; rows of nobody may lie between them."""

    state: StackState
    rows: dict[int, int]

    def select(self, streams: Sequence[int]) -> StackState:
        """The state of some of its streams, in this order."""
        rows = [self.rows[stream] for stream in streams]
        if rows == list(range(self.state.batch_size)):
            return self.state
        return select_rows(self.state, rows)

    def shrink(self) -> None:
        """Let go of the rows of nobody, once they are half of all."""
        if self.rows and 2 * len(self.rows) <= self.state.batch_size:
            streams = list(self.rows)
            self.state = self.select(streams)
            self.rows = {stream: row for row, stream in enumerate(streams)}


class StreamStates:
    """The newest state of every stream: `take` that of some, step it, and `put` back what came."""

    def __init__(self) -> None:
        self._groups: dict[int, _Group] = {}

    def remove(self, stream: int) -> None:
        """Forget a stream."""
        group = self._groups.pop(stream)
        del group.rows[stream]
        group.shrink()

    def take(self, streams: Collection[int]) -> tuple[tuple[int, ...], StackState]:
        """The state of these streams, and the order in which it holds them."""
        wanted = set(streams)
        groups = dict.fromkeys(self._groups[stream] for stream in streams)
        parts = [(group, [each for each in group.rows if each in wanted]) for group in groups]
        states = [group.select(rows) for group, rows in parts]
        order = tuple(stream for _, rows in parts for stream in rows)
        return order, states[0] if len(states) == 1 else StackState.join(states)

    def put(self, streams: Sequence[int], state: StackState) -> None:
        """The state of these streams from now on, in this order; they may be new."""
        group = _Group(state, {stream: row for row, stream in enumerate(streams)})
        left = {self._groups[stream]: None for stream in streams if stream in self._groups}
        for stream in streams:
            if stream in self._groups:
                del self._groups[stream].rows[stream]
            self._groups[stream] = group
        for each in left:
            each.shrink()


def select_rows(state: StackState, rows: Sequence[int]) -> StackState:
    """A copy of some rows, with the keys and values that they own and few others."""
    return replace(state, stages=tuple(_select(stage, list(rows)) for stage in state.stages))


def _select(stage: StageState, rows: list[int]) -> StageState:
    positions = stage.positions[rows]
    past = stage.keys[0].shape[2]
    owned = slice(past - min(past, int(positions.max())), past)

    def chosen(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(each[:, :, owned][rows] for each in tensors)

    return StageState(positions, chosen(stage.keys), chosen(stage.values))

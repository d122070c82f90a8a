"""The states of many streams: whoever is taken with whom, everybody keeps his own."""

import random

import torch

from catok.modules.streaming_state import StackState, StageState
from catok.tokenizer.stream_states import StreamStates

WINDOW = 5


def new() -> StackState:
    empty = torch.zeros(1, 1, 0, 1)
    return StackState((StageState(torch.zeros(1, dtype=torch.int64), (empty,), (empty,)),))


def step(state: StackState, values: list[float]) -> StackState:
    """Every row hears its value; at most WINDOW are remembered."""
    (stage,) = state.stages
    heard = torch.tensor(values)[:, None, None, None]
    both = [
        torch.cat([past, heard], dim=2)[:, :, -WINDOW:] for past in (*stage.keys, *stage.values)
    ]
    return StackState((StageState(stage.positions + 1, (both[0],), (both[1],)),))


def remembered(state: StackState, row: int) -> list[float]:
    (stage,) = state.stages
    firsts = stage.first()
    first = 0 if firsts is None else int(firsts[row])
    assert torch.equal(stage.keys[0], stage.values[0])
    return stage.keys[0][row, 0, first:, 0].tolist()


def test_every_stream_remembers_its_own_in_any_company():
    dice = random.Random(0)
    states, heard = StreamStates(), {}
    for turn in range(400):
        if len(heard) < 12 and dice.random() < 0.3:
            states.put([turn], new())
            heard[turn] = []
        if heard and dice.random() < 0.1:
            gone = dice.choice(list(heard))
            states.remove(gone)
            del heard[gone]
        if not heard:
            continue
        chosen = dice.sample(list(heard), dice.randrange(1, len(heard) + 1))
        order, state = states.take(chosen)
        assert sorted(order) == sorted(chosen) and state.batch_size == len(chosen)
        for row, stream in enumerate(order):
            assert remembered(state, row) == heard[stream][-WINDOW:]
        values = [float(100 * turn + stream) for stream in order]
        states.put(order, step(state, values))
        for stream, value in zip(order, values, strict=True):
            heard[stream].append(value)


def test_the_same_company_is_not_copied():
    states = StreamStates()
    for stream in range(4):
        states.put([stream], new())
    order, state = states.take(range(4))
    stepped = step(state, [0.0] * 4)
    states.put(order, stepped)
    again, found = states.take([3, 1, 0, 2])
    assert again == order and found is stepped


def test_rows_of_nobody_are_let_go():
    states = StreamStates()
    for stream in range(64):
        states.put([stream], new())
    order, state = states.take(range(64))
    states.put(order, step(state, [0.0] * 64))
    for stream in range(63):
        states.remove(stream)
    assert states._groups[63].state.batch_size <= 2

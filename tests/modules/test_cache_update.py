import copy
import pickle

import pytest
import torch

from catok.modules.cache_update import CopyingUpdate, InPlaceUpdate, begin_update
from catok.modules.streaming_state import StageState

LAYERS, CAPACITY = 2, 40


def begun(batch=2):
    empty = (torch.zeros(batch, 3, 0, 4),) * LAYERS
    return StageState(torch.zeros(batch, dtype=torch.int64), empty, empty)


def chunks(steps, seed, batch=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(LAYERS, 2, batch, 3, steps, 4, generator=generator)


def go_on(update, chunk):
    seen = [update.append(keys, values) for keys, values in chunk]
    return seen, update.next_state()


def same(one, two):
    return all(
        torch.equal(a, b)
        for a, b in zip(
            (one.positions, *one.keys, *one.values),
            (two.positions, *two.keys, *two.values),
            strict=True,
        )
    )


@torch.no_grad()
def test_in_place_is_by_copy():
    """Past the window, and with steps of several sizes, the buffer renewed now and then."""
    written, copied = begun(), begun()
    buffers = set()
    for number, steps in enumerate([1, 5, 2, 1, 1, 4, 5, 3, 1, 1, 5, 5, 5, 2, 5, 5, 4, 1, 1]):
        update = begin_update(written, steps, CAPACITY)
        assert isinstance(update, InPlaceUpdate)
        chunk = chunks(steps, number)
        seen, written = go_on(update, chunk)
        expected, copied = go_on(CopyingUpdate(copied, steps, CAPACITY), chunk)
        for mine, others in zip(seen, expected, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(mine, others, strict=True))
        assert same(written, copied)
        buffers.add(written.buffer)
    assert 1 < len(buffers) < 12


@torch.no_grad()
def test_a_stream_forks_and_is_replayed():
    _, state = go_on(begin_update(begun(), 5, CAPACITY), chunks(5, 0))
    kept = pickle.loads(pickle.dumps(state))
    (_, one), (_, two) = (
        go_on(begin_update(state, 2, CAPACITY), chunks(2, seed)) for seed in (1, 2)
    )
    assert same(state, kept)
    assert one.buffer is state.buffer and two.buffer is not state.buffer
    for seed, found in ((1, one), (2, two)):
        assert same(found, go_on(CopyingUpdate(state, 2, CAPACITY), chunks(2, seed))[1])


@torch.no_grad()
def test_copies_have_no_room():
    _, state = go_on(begin_update(begun(), 5, CAPACITY), chunks(5, 0))
    for twin in (copy.deepcopy(state), pickle.loads(pickle.dumps(state)), state.row(1)):
        assert twin.buffer is None
    assert len(pickle.dumps(state)) < 2 * len(pickle.dumps(begun())) + 4 * chunks(5, 0).numel()


def test_what_inference_mode_made_is_not_written_elsewhere():
    with torch.inference_mode():
        _, state = go_on(begin_update(begun(), 5, CAPACITY), chunks(5, 0))
    with torch.no_grad():
        _, after = go_on(begin_update(state, 1, CAPACITY), chunks(1, 1))
    assert after.keys[0].shape[2] == 6


@torch.no_grad()
def test_rows_that_wait_keep_theirs():
    _, state = go_on(begin_update(begun(), 2, CAPACITY), chunks(2, 0))
    chunk = chunks(3, 1)
    _, after = go_on(begin_update(state, 3, 4, torch.tensor([True, False])), chunk)
    assert after.positions.tolist() == [5, 2]
    assert torch.equal(after.keys[1][0, :, -3:], chunk[1, 0, 0])
    assert torch.equal(after.keys[1][1, :, -2:], state.keys[1][1])


@pytest.mark.parametrize("capacity", [0, 7])
@torch.no_grad()
def test_long_steps_are_copied(capacity):
    update = begin_update(begun(), 9, capacity)
    assert isinstance(update, CopyingUpdate)
    assert go_on(update, chunks(9, 0))[1].keys[0].shape[2] == capacity


def test_gradients_go_through_steps():
    assert isinstance(begin_update(begun(), 1, CAPACITY), CopyingUpdate)

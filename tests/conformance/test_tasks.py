"""What is asked of a port covers what it should, and rows are fed what their places say."""

import numpy as np
import pytest

from catok.conformance.tasks import CHECKS, tasks_of


@pytest.fixture(scope="module")
def tasks(kit):
    return list(tasks_of(kit["nano"]))


def test_every_check_in_both_directions(tasks):
    assert {(task.direction, task.check) for task in tasks} == {
        (direction, check) for direction in ("encode", "decode") for check in CHECKS
    }
    assert len({task.name for task in tasks}) == len(tasks)
    assert {task.depth for task in tasks if task.check == "prefix"} == set(range(1, 17))


def test_every_frame_is_asked_for_once_in_each_chunking(tasks, kit):
    long = kit["nano"].recordings["long"]
    streams = [task for task in tasks if task.check == "chunks"]
    assert len(streams) == 10
    for task in streams:
        assert task.places == (tuple(("long", frame) for frame in range(long.frames)),)
        assert sum(step.frames for step in task.steps) == long.frames
    assert max(step.frames for task in streams for step in task.steps) > kit["nano"].windows[1]


@pytest.mark.parametrize("check", ["pauses", "reset"])
def test_rows_hear_their_recordings_in_order(tasks, kit, check):
    """What a row is fed while it is active, from its last reset on, is the recording itself."""
    size = kit["nano"].config.frame_size
    [task] = [t for t in tasks if t.check == check and t.direction == "encode"]
    waits = resets = 0
    for row in range(3):
        heard, at = [], 0
        for step in task.steps:
            if row in step.reset:
                heard, resets = [], resets + 1
            for frame in range(at, at + step.frames):
                place = task.places[row][frame]
                if step.active[row]:
                    heard.append(task.input[row, :, frame * size : (frame + 1) * size])
                else:
                    waits += 1
                    assert place is None
                if place is not None:
                    assert len(heard) - 1 == place[1]
                    recording = kit["nano"].recordings[place[0]].audio
                    told = np.concatenate(heard, axis=1)[:, : recording.shape[1]]
                    np.testing.assert_array_equal(told, recording[:, : told.shape[1]])
            at += step.frames
    assert bool(waits) == (check == "pauses") and bool(resets) == (check == "reset")

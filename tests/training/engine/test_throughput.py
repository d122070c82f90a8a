from dataclasses import replace

import pytest

from catok.training.engine import throughput
from catok.training.engine.throughput import Pace

from ..conftest import some_batch


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless told."""
    now = [100.0]
    monkeypatch.setattr(throughput.time, "monotonic", lambda: now[0])
    return now


def test_speed_waiting_and_what_was_skipped(clock):
    counted = Pace(3, 24_000)
    with counted.waiting():
        clock[0] += 1.0
    clock[0] += 3.0
    batch = some_batch(rows=2, seconds=0.5)
    counted.heard([batch, replace(batch, skipped=("a: bad", "b: bad"))])
    assert counted.summary() == {
        "audio_per_second": 3 * 2.0 / 4,
        "waiting_share": 0.25,
        "skipped_files": 2.0,
    }
    clock[0] += 2.0
    counted.heard([batch])
    assert counted.summary() == {
        "audio_per_second": 1.5,
        "waiting_share": 0.0,
        "skipped_files": 2.0,
    }


def test_nothing_is_no_division_by_zero(clock):
    assert Pace(1, 24_000).summary()["audio_per_second"] == 0

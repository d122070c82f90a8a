import pytest

from catok.training.engine import throughput
from catok.training.engine.throughput import Throughput


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless told."""
    now = [100.0]
    monkeypatch.setattr(throughput.time, "monotonic", lambda: now[0])
    return now


def slow(clock, seconds, items):
    for item in items:
        clock[0] += seconds
        yield item


def test_speed_waiting_and_shares(clock):
    counted = Throughput(world_size=3)
    stream = counted.timed(slow(clock, 0.5, "ab"))
    assert list(zip(range(2), stream, strict=True)) == [(0, "a"), (1, "b")]
    clock[0] += 3.0
    counted.update({"audio": 1.0, "rows": 6}, {"padding": (1, 10)})
    counted.update({"audio": 1.0, "rows": 2}, {"padding": (2, 10)})
    assert counted.summary() == {
        "audio_per_second": 3 * 2.0 / 4,
        "rows_per_second": 6.0,
        "padding_share": 0.15,
        "waiting_share": 0.25,
    }
    clock[0] += 2.0
    counted.update({"audio": 1.0})
    assert counted.summary() == {"audio_per_second": 1.5, "waiting_share": 0.0}


def test_nothing_is_no_division_by_zero(clock):
    counted = Throughput(1)
    counted.update({"audio": 0.0}, {"padding": (0, 0)})
    assert counted.summary() == {
        "audio_per_second": 0, "padding_share": 0, "waiting_share": 0,
    }  # fmt: skip

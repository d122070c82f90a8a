"""Flags, rows, statistics and the record of a run, each for itself."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from catok.evaluation.metrics.base import Column
from catok.evaluation.run.flags import flag
from catok.evaluation.run.record import RunRecord, SystemFacts
from catok.evaluation.run.statistics import mean, ratio

RATE = 8000
VALUES = st.lists(st.floats(-100, 100), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("audio", "name", "scored"),
    [
        (torch.rand(1, 8000) * 0.5, "", True),
        (torch.rand(1, 3999), "short", False),
        (torch.full((2, 8000), 9e-4), "silent", False),
        (torch.cat([torch.ones(1, 20), torch.zeros(1, 7980)], 1), "clipped", True),
        (torch.cat([torch.ones(1, 7), torch.zeros(1, 7993)], 1), "", True),
    ],
)
def test_flags(audio, name, scored):
    found = flag(audio, RATE)
    assert (found.name, found.scored) == (name, scored)
    assert bool(found.why) == bool(name)


@given(VALUES)
def test_intervals_lie_within_the_values(values):
    found = mean(values)
    assert found.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert mean(values) == found


def test_an_interval_covers_the_truth_as_often_as_it_says():
    drawn = np.random.default_rng(1).normal(3.0, 2.0, size=(200, 40))
    found = [mean(list(row)) for row in drawn]
    covered = np.mean([e.low <= 3.0 <= e.high for e in found])
    assert 0.88 <= covered <= 0.99
    widths = np.mean([e.high - e.low for e in found])
    assert widths == pytest.approx(2 * 1.96 * 2.0 / np.sqrt(40), rel=0.1)


def test_rates_are_pooled():
    assert ratio([1, 0], [1, 9]).mean == pytest.approx(0.1)
    assert mean([1, 0]).mean == 0.5
    nothing = ratio([], [], failed=3)
    assert (nothing.mean, nothing.low, nothing.scored, nothing.failed) == (None, None, 0, 3)


def test_the_record_keeps_systems_and_refuses_other_settings(tmp_path):
    settings = {"metrics": ("stoi",), "limit": None}
    columns = [Column("x", "X", "lower")]
    record = RunRecord(tmp_path, settings)
    record.add([SystemFacts("a:1", "model", "a", ("1",))], columns)
    again = RunRecord(tmp_path, settings)
    assert again.columns == columns
    again.add([SystemFacts("b", "baseline", "b", ("9",))], columns)
    again.add([SystemFacts("a:2", "model", "a", ("2",))], columns)
    kept = {s.name: s.settings for s in RunRecord(tmp_path, settings).systems}
    assert kept == {"a": ("1", "2"), "b": ("9",)}
    with pytest.raises(ValueError, match="metrics.*stoi.*pesq.*another output folder"):
        RunRecord(tmp_path, {"metrics": ("pesq",), "limit": None})
    with pytest.raises(ValueError, match="two systems are called a"):
        again.add([SystemFacts(t, "model", "a", ("1",)) for t in ("x/a", "y/a")], columns)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        RunRecord(tmp_path, settings)

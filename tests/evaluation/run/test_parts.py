"""Flags, rows, statistics and the record of a run, each for itself."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from catok.evaluation.metrics.base import Column
from catok.evaluation.results_folder import ResultsFolder
from catok.evaluation.run.artifacts import slug
from catok.evaluation.run.bootstrap import Estimate, bootstrap_mean, bootstrap_ratio
from catok.evaluation.run.formatting import best_cells
from catok.evaluation.run.provenance import shareable_command
from catok.evaluation.run.rows import row_key
from catok.evaluation.run.run_manifest import RunManifest, SystemInfo
from catok.evaluation.run.scoring import check_recording
from catok.evaluation.run.summary import ResultGroup, short_names

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
    found = check_recording(audio, RATE)
    assert (found.name, found.scored) == (name, scored)
    assert bool(found.why) == bool(name)


@given(VALUES)
def test_intervals_lie_within_the_values(values):
    found = bootstrap_mean(values)
    assert found.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert bootstrap_mean(values) == found


def test_an_interval_covers_the_truth_as_often_as_it_says():
    drawn = np.random.default_rng(1).normal(3.0, 2.0, size=(200, 40))
    found = [bootstrap_mean(list(row)) for row in drawn]
    covered = np.mean([e.low <= 3.0 <= e.high for e in found])
    assert 0.88 <= covered <= 0.99
    widths = np.mean([e.high - e.low for e in found])
    assert widths == pytest.approx(2 * 1.96 * 2.0 / np.sqrt(40), rel=0.1)


def test_rates_are_pooled():
    assert bootstrap_ratio([1, 0], [1, 9]).mean == pytest.approx(0.1)
    assert bootstrap_mean([1, 0]).mean == 0.5
    nothing = bootstrap_ratio([], [], failed=3)
    assert (nothing.mean, nothing.low, nothing.scored, nothing.failed) == (None, None, 0, 3)


def test_the_record_keeps_systems_and_refuses_other_settings(tmp_path):
    settings = {"metrics": {"stoi": {}, "words": {"asr": None}}, "limit": None}
    columns = [Column("x", "X", "lower")]

    def record(**changes) -> RunManifest:
        return RunManifest(ResultsFolder(tmp_path, row_key), settings | changes)

    record().add([SystemInfo("a:1", "model", "a", ("1",))], columns)
    again = record()
    assert again.columns == columns
    again.add([SystemInfo("b", "baseline", "b", ("9",))], columns)
    again.add([SystemInfo("a:2", "model", "a", ("2",))], columns)
    kept = {s.name: s.settings for s in record().systems}
    assert kept == {"a": ("1", "2"), "b": ("9",)}
    with pytest.raises(ValueError, match="limit: None then, 3 now.*another output folder"):
        record(limit=3)
    with pytest.raises(ValueError, match="added to, not taken from: ask for words too"):
        record(metrics={"stoi": {}, "pesq": {}})
    with pytest.raises(ValueError, match="metrics.*None.*base.*another output folder"):
        record(metrics={"stoi": {}, "words": {"asr": "base"}})
    grown = settings["metrics"] | {"pesq": {}}
    record(metrics=grown).add([], [Column("y", "Y")])
    assert [column.name for column in record(metrics=grown).columns] == ["x", "y"]
    settings["metrics"] = grown
    with pytest.raises(ValueError, match="two systems are called a"):
        again.add([SystemInfo(t, "model", "a", ("1",)) for t in ("x/a", "y/a")], columns)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        record()


def group(system: str, kbps: float | None, value: float | None, kind="model") -> ResultGroup:
    found = {"x": Estimate(value, None, None, 1)}
    return ResultGroup(
        system, f"{kbps} kbps", kind, "all", 1, 0, 1.0, kbps, None, None, None, found
    )


def best(better: str, *groups: ResultGroup) -> set[str]:
    found = best_cells(groups, [Column("x", "X", better, digits=2)])
    return {f"{system} {setting}" for system, setting, _ in found}


def test_the_best_of_a_class_of_bitrates():
    table = (
        group("original", None, 1.0, "original"),
        group("a", 0.51, 0.5),
        group("a", 1.01, 0.6),
        group("a", 2.01, 0.8),
        group("b", 0.9, 0.7, "baseline"),
        group("b", 1.6, 0.801, "baseline"),  # as written the same as 0.8
        group("c", 1.7, 0.7, "baseline"),
        group("b", 3.2, None, "baseline"),
    )
    assert best("higher", *table) == {"b 0.9 kbps", "a 2.01 kbps", "b 1.6 kbps"}
    assert best("lower", *table) == {"a 1.01 kbps", "c 1.7 kbps"}
    assert best("neither", *table) == set()
    assert best("lower", *table[:4]) == {"a 0.51 kbps"}  # no rivals: the best of all
    assert best("lower", table[0], table[1]) == set()


def test_systems_are_called_by_what_tells_their_paths_apart():
    names = ["tiny", "/home/me/a/model", "/home/me/b/model", "/x/other", "runs/model", "e\x1b[1m"]
    assert list(short_names(names).values()) == [
        *("tiny", "a/model", "b/model", "other", "runs/model", "e\\x1b[1m")
    ]


def test_a_command_line_to_share_has_no_absolute_paths():
    line = ["/home/me/.venv/bin/catok", "evaluate", "--data", "/home/me/sets/a b/test.jsonl"]
    line += ["--out=/tmp/out", "--baselines", "encodec=/models/encodec:6", "-o", "x/y"]
    assert shareable_command(line) == (
        "catok evaluate --data 'a b/test.jsonl' --out=tmp/out --baselines "
        "encodec=models/encodec:6 -o x/y"
    )


def test_names_of_systems_are_file_names_of_their_own():
    names = [
        "tiny",
        "runs/a_b",
        "runs/a/b",
        "0.5 kbps",
        "x" * 300,
        "x" * 299,
        "/",
        "caf\udce9",
        "é" * 80,
        "a b",
        "a_b ",
    ]
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(len(s.encode()) < 100 and "/" not in s and s.isprintable() for s in slugs)
    assert slugs[0] == "tiny" and slugs[3] == "0.5_kbps"

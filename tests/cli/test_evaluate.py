"""`catok evaluate`: real systems and metrics on a short recording, and what is printed."""

import json
from pathlib import Path

import pytest

from catok import Encoded, load_audio, save_audio
from catok.cli import main
from catok.cli.evaluate import headline
from catok.evaluation.metrics.base import Column
from catok.evaluation.run.bootstrap import Estimate
from catok.evaluation.run.summary import ResultGroup, Summary

SPEECH = Path(__file__).parents[2] / "examples" / "speech.flac"


@pytest.fixture
def data(tmp_path) -> Path:
    """A folder with two seconds of speech, and something that is no audio."""
    audio, rate = load_audio(SPEECH)
    (tmp_path / "data").mkdir()
    save_audio(tmp_path / "data" / "speech.wav", audio[:, rate : 3 * rate], rate)
    (tmp_path / "data" / "broken.wav").write_bytes(b"RIFF, or so they say")
    return tmp_path / "data"


@pytest.mark.slow
def test_tiny_with_fast_metrics(data, tmp_path, capsys):
    out = tmp_path / "deep" / "out"
    line = ["evaluate", "--data", str(data), "--out", str(out), "--bitrates", "0.5,4"]
    assert main([*line, "--device", "cpu", "--examples", "1"]) == 1  # one recording cannot be read
    captured = capsys.readouterr()
    head, *rows, last = captured.out.splitlines()
    assert "STOI" in head and "PESQ-WB" in head
    assert [row.split()[0] for row in rows] == ["original", "tiny", "tiny"]
    assert last == "flags and failures: 1 (1 unreadable), see summary.md"
    assert "catok: 1 of 2 recordings have errors" in captured.err
    assert str(out / "report.html") in captured.err
    summary = json.loads((out / "summary.json").read_text())
    figures = {(g["setting"], g["domain"]): g["figures"] for g in summary["groups"]}
    assert figures["original", "all"]["stoi"]["mean"] == pytest.approx(1)
    low, high = (figures[s, "all"]["stoi"]["mean"] for s in ("0.5 kbps", "4 kbps"))
    assert 0.5 < low < high < 0.95
    (codes,) = (out / "codes" / "tiny").iterdir()
    assert Encoded.load(codes).codes.shape == (1, 32, 25)
    assert (out / "report.html").read_text().count("<audio") == 3
    for name in ("rows.jsonl", "rows.parquet", "summary.csv", "summary.md"):
        assert (out / name).stat().st_size > 0
    for name in ("report.html", "summary.md", "summary.json"):  # to be shared
        assert str(tmp_path) not in (out / name).read_text()
    assert main(["info", "tiny"]) == 0
    info = dict(line.split()[:2] for line in capsys.readouterr().out.splitlines())
    assert f"weights: tiny {info['weights']} (" in (out / "summary.md").read_text()

    rows_before = (out / "rows.jsonl").read_bytes()
    assert main([*line, "--device", "cpu", "--examples", "1"]) == 1
    assert (out / "rows.jsonl").read_bytes() == rows_before
    assert main([*line, "--device", "cpu", "--metrics", "audio"]) == 1
    assert "can be added to, not taken from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metrics", "magic"], "unknown metric"),
        (["--bitrates", "0.3"], "does not have 0.3"),
        (["--model", "tiny", "tiny"], "two systems are called tiny"),
        (["--limit", "0"], "at least 1"),
        (["--workers", "0"], "at least 1"),
        (["--min-seconds", "5"], "change min_seconds"),
    ],
)
def test_bad_arguments_are_told_in_a_line(data, tmp_path, capsys, arguments, message):
    (data / "broken.wav").unlink()
    line = ["evaluate", "--data", str(data), "--out", str(tmp_path / "out"), "--device", "cpu"]
    assert main([*line, *arguments]) == 1
    told = capsys.readouterr().err
    assert told.startswith("catok: error: ") and told.count("\n") == 1
    assert message in told


def test_a_wide_headline_is_turned_on_a_terminal(data, tmp_path, capsys):
    columns = [Column(f"x{n}", f"some long title {n}") for n in range(9)]
    found = {column.name: Estimate(0.5, None, None, 1) for column in columns}
    group = ResultGroup("tiny", "1 kbps", "model", "all", 1, 0, 1.0, 1.0, 8, 0.1, 0.1, found)
    summary = Summary({}, {}, columns, [], 1, {}, {}, {}, {}, [group], {}, [], [], 0)
    assert headline(summary).splitlines()[1].split()[:2] == ["tiny", "1"]
    turned = headline(summary, 80).splitlines()
    assert turned[0].split() == ["system", "tiny"] and turned[-1].endswith("0.500")
    assert max(map(len, turned)) <= 80

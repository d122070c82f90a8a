"""A whole run with systems and metrics that cost nothing: figures, failures, tables."""

import csv
import json
import math
import os
from dataclasses import replace

import pyarrow.parquet
import pytest
import torch

from catok import Encoded, load_audio, save_audio
from catok.evaluation.report.page import write_report
from catok.evaluation.run.evaluate import evaluate
from catok.evaluation.run.rows import row_key

from .fakes import evaluation, noise
from .results import group, rows_of

pytestmark = pytest.mark.slow


def test_figures_are_what_was_measured(data, tmp_path):
    out = tmp_path / "out"
    asked = evaluation(data, "gain:0.5,0.25", baselines=("codes:0.1",), metrics=("level", "words"))
    summary = evaluate(asked, out, command="catok evaluate ...")
    assert len(rows_of(out)) == 3 * 4
    half = group(summary, "gain", "0.5")
    assert (half.files, half.failed, half.figures["ratio"].scored) == (3, 0, 3)
    assert half.figures["ratio"].mean == pytest.approx(0.5)
    assert half.kbps == pytest.approx(0.5)  # half a bit per sample at 1 kHz
    assert half.encode_rtf == pytest.approx(3 * 0.5 / 2.3)
    music = group(summary, "gain", "0.5", "music")
    assert (music.files, music.failed, music.figures["wer"].scored) == (1, 0, 0)
    assert half.figures["wer"].mean == pytest.approx(100 * 2 / 14)  # pooled, not the mean of rates
    assert half.figures["wer"].scored == 2
    order = [(g.system, g.setting) for g in summary.of_domain("all")]
    assert order == [("original", "1"), ("gain", "0.25"), ("gain", "0.5"), ("codes", "0.1")]
    original = group(summary, "original", "1")
    assert original.kbps is None
    assert original.figures["picky"].mean is None  # infinite
    assert summary.failures == []
    assert summary.domains == ["music", "speech"]


def test_codes_are_kept_and_counted(data, tmp_path):
    summary = evaluate(evaluation(data, "codes:1"), tmp_path / "out")
    files = sorted((tmp_path / "out" / "codes" / "codes").iterdir())
    assert len(files) == 3
    frames = sum(Encoded.load(file).codes.shape[2] for file in files)
    use = summary.codebooks["codes"]
    assert use.codes == (frames, frames)
    assert use.in_use == (4, 1)
    assert use.perplexity[1] == pytest.approx(1)
    assert summary.weights == {"codes": "0" * 16}


def test_tables_agree(data, tmp_path):
    out = tmp_path / "out"
    summary = evaluate(evaluation(data, "gain:0.5", "broken"), out, command="the | command")
    written = json.loads((out / "summary.json").read_text())
    assert written == json.loads(json.dumps(summary.as_dict()))
    assert written["provenance"]["command"] == "the | command"
    lines = list(csv.DictReader((out / "summary.csv").open()))
    ratio = [
        float(line["mean"])
        for line in lines
        if (line["domain"], line["system"], line["figure"]) == ("all", "gain", "ratio")
    ]
    assert ratio == [group(summary, "gain", "0.5").figures["ratio"].mean]
    table = pyarrow.parquet.read_table(out / "rows.parquet").to_pylist()
    assert len(table) == len(rows_of(out)) == 3 * 4
    failed = [r for r in table if r["error"]]
    assert {(r["system"], r["setting"], r["ratio"]) for r in failed} == {("broken", "bad", None)}
    text = (out / "summary.md").read_text()
    assert "| gain | 0.5 |" in text
    assert "## Domain: music" in text
    assert "the codec fell over" in text


def test_nothing_that_goes_wrong_ends_the_run_or_is_left_out(tmp_path):
    noise(tmp_path, "good.wav")
    noise(tmp_path, "quiet one.wav")
    noise(tmp_path, "short.wav", seconds=0.3)
    noise(tmp_path, "silent.wav", peak=5e-4)
    save_audio(tmp_path / "clipped.wav", torch.ones(1, 600), 1000)
    noise(tmp_path, "cut.wav")
    (tmp_path / "cut.wav").write_bytes((tmp_path / "cut.wav").read_bytes()[:-100])
    (tmp_path / "broken.wav").write_bytes(b"RIFF, or so they say")
    summary = evaluate(evaluation(tmp_path, "gain:0.5", "broken"), tmp_path / "out")
    rows = {(r["key"], r["system"], r["setting"]): r for r in rows_of(tmp_path / "out")}
    assert len(rows) == 7 * 4
    flags = {key: row["flag"] for (key, *_), row in rows.items()}
    names = ("short", "silent", "clipped")
    assert flags == {f"{n}.wav": n for n in names} | {
        "good.wav": "",
        "quiet one.wav": "",
        "cut.wav": "incomplete",
        "broken.wav": "unreadable",
    }
    assert summary.flags == {
        "short": 1,
        "silent": 1,
        "clipped": 1,
        "unreadable": 1,
        "incomplete": 1,
    }
    assert summary.failed == 5  # one system always fails; what is too short or silent is none
    (cut,) = (f for f in summary.failures if (f.flag, f.system) == ("incomplete", ""))
    assert "take its figures with care: cut.wav: it is cut short" in cut.error
    assert rows["cut.wav", "gain", "0.5"]["ratio"] == pytest.approx(0.5)
    assert rows["good.wav", "broken", "fine"]["ratio"] == pytest.approx(1)
    failed = rows["good.wav", "broken", "bad"]
    assert failed["errors"] == {"system": "RuntimeError: the codec fell over"}
    assert failed.get("ratio") is None
    assert rows["quiet one.wav", "gain", "0.5"]["errors"]["ratio"] == "too quiet"
    assert rows["quiet one.wav", "gain", "0.5"]["bits"] == 300
    assert rows["clipped.wav", "gain", "0.5"]["ratio"] == pytest.approx(0.5)
    half = group(summary, "gain", "0.5")
    assert (half.files, half.failed) == (7, 3)
    assert (half.figures["ratio"].scored, half.figures["ratio"].failed) == (3, 4)
    assert group(summary, "broken", "bad").failed == 7
    told = {(f.key, f.system, f.setting) for f in summary.failures}
    assert ("silent.wav", "", "") in told
    assert ("good.wav", "broken", "bad") in told
    assert ("good.wav", "gain", "0.5") not in told


def test_two_workers_give_the_rows_of_one(data, tmp_path):
    asked = evaluation(data, "gain:0.5", "codes:1", "broken", examples=1)
    seen = []
    evaluate(asked, tmp_path / "one")
    evaluate(replace(asked, workers=2), tmp_path / "two", report=seen.append)
    one, two = (sorted(rows_of(tmp_path / n), key=row_key) for n in ("one", "two"))
    assert one == two
    assert [p.done for p in seen] == [1, 2, 3]
    assert {p.recording.key for p in seen} == {"a.wav", "b.wav", "c.wav"}


def test_results_within_the_data_are_no_data(tmp_path):
    noise(tmp_path, "a.wav")
    for _ in range(2):
        summary = evaluate(evaluation(tmp_path, "gain:0.5", examples=1), tmp_path / "results")
        assert summary.recordings == 1
    assert list((tmp_path / "results" / "examples").rglob("*.flac"))


def test_metrics_of_a_preset_that_cannot_be_had_are_told(data, tmp_path):
    asked = evaluation(data, "gain:0.5", metrics=("level", "absent"))
    summary = evaluate(asked, tmp_path / "out")
    assert summary.left_out == {"absent": "its model is not there"}
    assert "left out: absent: its model is not there" in (tmp_path / "out/summary.md").read_text()


def test_every_number_is_finite_or_has_a_reason(data, tmp_path):
    out = tmp_path / "out"
    evaluate(evaluation(data, "odd", "gain:0.5", metrics=("level", "words")), out)
    for row in rows_of(out):
        for name, value in row.items():
            assert not isinstance(value, float) or math.isfinite(value)
            if value is None and name in ("ratio", "picky", "wer", "words", "word_errors"):
                assert row["errors"].get(name) or row["notes"][name]
    rows = {row_key(row): row for row in rows_of(out)}
    assert rows["a.wav", "original", "1"]["notes"] == {"picky": "infinite"}
    assert rows["c.wav", "gain", "0.5"]["notes"]["wer"] == "a metric of speech"
    assert rows["a.wav", "odd", "bits"]["bits"] == 300
    assert type(rows["a.wav", "odd", "bits"]["bits"]) is int
    assert "nan" in rows["a.wav", "odd", "time"]["errors"]["system"]


def test_names_are_shown_and_not_obeyed(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    noise(folder, "x.wav")
    name = b"\xe9\x1b[31m|<b>_x_.wav"
    os.rename(folder / "x.wav", os.fsencode(folder) + b"/" + name)
    noise(folder, "fine.wav")
    summary = evaluate(evaluation(folder, "broken"), tmp_path / "out")
    text = (tmp_path / "out" / "summary.md").read_bytes().decode()
    assert "\x1b" not in text and "<b>" not in text
    assert r"\\udce9\\x1b\[31m\|&lt;b&gt;\_x\_.wav" in text
    assert summary.recordings == 2 and len(rows_of(tmp_path / "out")) == 6
    table = pyarrow.parquet.read_table(tmp_path / "out" / "rows.parquet").to_pylist()
    assert {row["key"] for row in table} == {"fine.wav", r"\udce9\x1b[31m|<b>_x_.wav"}
    assert "<b>" not in write_report(tmp_path / "out", summary).read_text()


def test_tools_that_cannot_be_built_end_the_run(data, tmp_path):
    with pytest.raises(ValueError, match="unknown metrics"):
        evaluate(evaluation(data, "gain:1", metrics=("nonsense",)), tmp_path / "out")
    with pytest.raises(ValueError, match="two systems are called gain"):
        evaluate(evaluation(data, "gain:1", "gain:0.5"), tmp_path / "out")


def test_examples_are_the_loudest_seconds_of_good_recordings(tmp_path):
    (tmp_path / "data").mkdir()
    audio = torch.rand(1, 9000, generator=torch.Generator().manual_seed(0)) * 0.2
    audio[:, 2500:8500] *= 4
    save_audio(tmp_path / "data" / "long.wav", audio, 1000)
    noise(tmp_path / "data", "short.wav", seconds=0.3)
    summary = evaluate(evaluation(tmp_path / "data", "gain:0.5", examples=2), tmp_path / "out")
    (example,) = summary.examples
    assert (example.key, [c.system for c in example.clips]) == ("long.wav", ["original", "gain"])
    clips = [load_audio(tmp_path / "out" / clip.path)[0] for clip in example.clips]
    loud = load_audio(tmp_path / "data" / "long.wav")[0][:, 2500:8500]
    assert torch.equal(clips[0], loud)
    assert torch.allclose(clips[1], 0.5 * loud, atol=1e-4)

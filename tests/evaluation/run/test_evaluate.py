"""A whole run with systems and metrics that cost nothing: figures, failures, going on."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet
import pytest
import torch

from catok import Encoded, load_audio, save_audio
from catok.evaluation.report.page import write_report
from catok.evaluation.results_folder import RowFile
from catok.evaluation.run.evaluate import evaluate
from catok.evaluation.run.recordings import Selection
from catok.evaluation.run.rows import row_key
from catok.io.lock import folder_lock

from .fakes import evaluation, noise

ROOT = Path(__file__).parents[3]


@pytest.fixture
def data(tmp_path) -> Path:
    """A manifest of three good recordings in two domains."""
    (tmp_path / "data").mkdir()
    lines = []
    for name, domain, seconds in (("a", "speech", 0.6), ("b", "speech", 1.0), ("c", "music", 0.7)):
        noise(tmp_path / "data", f"{name}.wav", seconds)
        text = "four" if name == "a" else "ten letter" if name == "b" else None
        lines.append({"audio": f"{name}.wav", "duration": seconds, "domain": domain, "text": text})
    (tmp_path / "data" / "m.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    return tmp_path / "data" / "m.jsonl"


def rows_of(out: Path) -> list[dict]:
    return RowFile(out / "rows.jsonl", row_key).rows


def group(summary, system: str, setting: str, domain: str = "all"):
    places = [(g.system, g.setting, g.domain) for g in summary.groups]
    return summary.groups[places.index((system, setting, domain))]


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


def test_going_on_after_an_interruption(data, tmp_path):
    whole = evaluate(evaluation(data, "gain:0.5"), tmp_path / "whole")

    def interrupt(progress):
        if progress.done == 2:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        evaluate(evaluation(data, "gain:0.5"), out, report=interrupt)
    assert len(rows_of(out)) == 4
    with (out / "rows.jsonl").open("a") as file:
        file.write('{"key": "c.wav", "syst')
    seen = []
    summary = evaluate(evaluation(data, "gain:0.5"), out, report=seen.append)
    assert [(p.done, p.total) for p in seen] == [(1, 1)]
    assert sorted(rows_of(out), key=row_key) == sorted(rows_of(tmp_path / "whole"), key=row_key)
    assert summary.groups == whole.groups


def children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Neither gone nor a zombie that nobody has collected yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_going_on_after_a_kill(tmp_path, ending):
    """SIGKILL of the program alone, or Ctrl-C, which all its processes get, pressed twice."""
    (tmp_path / "data").mkdir()
    for n in range(12):
        noise(tmp_path / "data", f"{n}.wav")
    out = tmp_path / "out"
    arguments = [str(tmp_path / "data"), str(out), "2"]
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.evaluation.run.fakes", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (out / "rows.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = children(running.pid)
    assert len(workers) >= 2
    if ending == signal.SIGINT:
        for _ in range(2):
            os.killpg(running.pid, signal.SIGINT)
            time.sleep(0.05)
    else:
        running.send_signal(ending)
    assert running.wait(timeout=15) != 0
    while any(map(alive, workers)):
        assert time.monotonic() < deadline, "workers outlive the program"
        time.sleep(0.02)
    before = rows_of(out)
    assert 0 < len(before) < 24
    seen = []
    slow = evaluation(tmp_path / "data", "slow:0.5")
    summary = evaluate(slow, out, report=seen.append)
    after = rows_of(out)
    assert after[: len(before)] == before
    assert len({row_key(row) for row in after}) == len(after) == 24
    assert len(seen) == 12 - len(before) // 2
    assert group(summary, "slow", "0.5").files == 12


def test_adding_a_system_runs_only_that(data, tmp_path):
    out = tmp_path / "out"
    evaluate(evaluation(data, "gain:0.5"), out)
    before = (out / "rows.jsonl").read_bytes()
    summary = evaluate(evaluation(data, "gain:0.5,0.25", baselines=("other:1",)), out)
    added = (out / "rows.jsonl").read_bytes().removeprefix(before)
    new = [json.loads(line) for line in added.splitlines()]
    assert len(before) and len(new) == 6
    assert {(r["system"], r["setting"]) for r in new} == {("gain", "0.25"), ("other", "1")}
    summary = evaluate(evaluation(data, "third:1"), out)
    assert {g.system for g in summary.groups} == {"original", "gain", "other", "third"}


def test_results_within_the_data_are_no_data(tmp_path):
    noise(tmp_path, "a.wav")
    for _ in range(2):
        summary = evaluate(evaluation(tmp_path, "gain:0.5", examples=1), tmp_path / "results")
        assert summary.recordings == 1
    assert list((tmp_path / "results" / "examples").rglob("*.flac"))


def test_contradictions(data, tmp_path):
    out = tmp_path / "out"
    evaluate(evaluation(data, "gain:0.5"), out)
    for changes in (
        {"metrics": ("words",)},
        {"selection": Selection(limit=2)},
        {"selection": Selection(seed=1)},
    ):
        with pytest.raises(ValueError, match=f"{next(iter(changes))}.*another output folder"):
            evaluate(evaluation(data, "gain:0.5", **changes), out)
    noise(data.parent, "d.wav")
    with data.open("a") as file:
        file.write('{"audio": "d.wav", "duration": 0.6}\n')
    with pytest.raises(ValueError, match="recordings: 3 then, 4 now"):
        evaluate(evaluation(data, "gain:0.5"), out)
    assert len(rows_of(out)) == 6


def test_more_metrics_fill_only_their_columns(data, tmp_path):
    out = tmp_path / "out"
    evaluate(evaluation(data, "gain:0.5", "codes:1", "broken"), out)
    before = {row_key(row): row for row in rows_of(out)}
    text = (out / "rows.jsonl").read_text()
    (out / "rows.jsonl").write_text(text.replace('"ratio": 0.5', '"ratio": 0.123'))
    seen = []
    grown = evaluation(data, "gain:0.5", "codes:1", "broken", metrics=("level", "words"))
    summary = evaluate(grown, out, report=seen.append)
    assert [p.done for p in seen] == [1, 2, 3]
    after = {row_key(row): row for row in rows_of(out)}
    assert len((out / "rows.jsonl").read_text().splitlines()) == len(after) == len(before)
    for key, row in after.items():
        if "system" not in row["errors"]:
            assert row.keys() - before[key].keys() == {"wer", "words", "word_errors"}
            assert row["encode_seconds"] == before[key]["encode_seconds"]
    assert group(summary, "gain", "0.5").figures["ratio"].mean == pytest.approx(0.123)  # is kept
    whole = evaluate(grown, tmp_path / "whole")
    assert (
        group(summary, "gain", "0.5").figures["wer"] == group(whole, "gain", "0.5").figures["wer"]
    )
    evaluate(grown, out, report=seen.append)
    assert len(seen) == 3  # nothing was lacking
    with pytest.raises(ValueError, match="ask for words too"):
        evaluate(evaluation(data, "gain:0.5"), out)


def test_a_system_that_changes_is_not_mixed_in_with_new_metrics(data, tmp_path):
    out = tmp_path / "out"
    evaluate(evaluation(data, "gain:0.5"), out)
    text = (out / "rows.jsonl").read_text()
    (out / "rows.jsonl").write_text(text.replace('"bits": 300', '"bits": 299'))  # of a.wav
    evaluate(evaluation(data, "gain:0.5", metrics=("level", "words")), out)
    rows = {row["key"]: row for row in rows_of(out) if row["system"] == "gain"}
    assert "299 when it was first scored" in rows["a.wav"]["errors"]["wer"]
    assert rows["a.wav"]["wer"] is None and rows["a.wav"]["ratio"] is not None
    assert rows["b.wav"]["errors"] == {} and rows["b.wav"]["wer"] is not None


def test_metrics_of_a_preset_that_cannot_be_had_are_told(data, tmp_path):
    asked = evaluation(data, "gain:0.5", metrics=("level", "absent"))
    summary = evaluate(asked, tmp_path / "out")
    assert summary.left_out == {"absent": "its model is not there"}
    assert "left out: absent: its model is not there" in (tmp_path / "out/summary.md").read_text()


def test_a_recording_that_is_replaced_is_not_mixed_in(data, tmp_path):
    out = tmp_path / "out"
    evaluate(evaluation(data, "gain:0.5", "codes:1", examples=1), out)
    before = rows_of(out)
    noise(data.parent, "a.wav", 0.8)
    with pytest.raises(ValueError, match=r"a\.wav has changed .* --retry, or choose another"):
        evaluate(evaluation(data, "gain:0.5,0.25", "codes:1"), out)
    assert rows_of(out) == before
    with pytest.raises(ValueError, match=r"a\.wav has changed .*by codes at 1 too"):
        evaluate(evaluation(data, "gain:0.5,0.25", retry=True), out)
    assert rows_of(out) == before
    seen = []
    again = evaluation(data, "gain:0.5,0.25", "codes:1", retry=True, examples=1)
    summary = evaluate(again, out, report=seen.append)
    assert {row["seconds"] for row in rows_of(out) if row["key"] == "a.wav"} == {0.8}
    fresh = evaluate(replace(again, retry=False), tmp_path / "fresh")
    assert summary.groups == fresh.groups and summary.codebooks == fresh.codebooks
    for example in summary.examples:
        for clip in example.clips:
            assert (out / clip.path).read_bytes() == (tmp_path / "fresh" / clip.path).read_bytes()


def test_other_texts_of_the_same_recordings_are_refused(data, tmp_path):
    evaluate(evaluation(data, "gain:0.5", metrics=("words",)), tmp_path / "out")
    data.write_text(data.read_text().replace("four", "five"))
    with pytest.raises(ValueError, match="recordings_sha1"):
        evaluate(evaluation(data, "gain:0.5", metrics=("words",)), tmp_path / "out")


def test_two_runs_do_not_share_a_folder(data, tmp_path):
    with folder_lock(tmp_path / "out"), pytest.raises(ValueError, match="in use by process"):
        evaluate(evaluation(data, "gain:0.5"), tmp_path / "out")
    evaluate(evaluation(data, "gain:0.5"), tmp_path / "out")


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


def test_other_weights_under_the_same_name_are_refused(data, tmp_path):
    out = tmp_path / "out"
    evaluate(evaluation(data, "codes:1"), out)
    text = (out / "rows.jsonl").read_text()
    (out / "rows.jsonl").write_text(text.replace("0" * 16, "f" * 16))
    with pytest.raises(ValueError, match="codes has other weights"):
        evaluate(evaluation(data, "codes:1,0.5"), out)


def test_errors_are_made_again_when_asked(data, tmp_path):
    out = tmp_path / "out"
    evaluate(evaluation(data, "broken"), out)
    seen = []
    evaluate(evaluation(data, "broken"), out, report=seen.append)
    assert seen == []
    evaluate(evaluation(data, "broken", retry=True), out, report=seen.append)
    assert len(seen) == 3
    assert len(rows_of(out)) == 9


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

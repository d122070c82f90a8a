"""A run goes on after its end, a kill or an error, and mixes in nothing that is not its own."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from catok.evaluation.run.evaluate import evaluate
from catok.evaluation.run.recordings import Selection
from catok.evaluation.run.rows import row_key
from catok.io.lock import folder_lock

from .fakes import evaluation, noise
from .results import group, rows_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


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

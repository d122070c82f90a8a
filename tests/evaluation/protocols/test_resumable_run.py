"""A run that was stopped goes on where it was, and only where all is as it was."""

import json

import pytest

from catok.evaluation.protocols.asr import score_asr
from catok.evaluation.protocols.items import ASRItem
from catok.evaluation.protocols.results import write_results
from catok.evaluation.protocols.resumable_run import ResumableRun
from catok.evaluation.text_units import standard_units

from .conftest import ByLength

LENGTHS = (800, 900, 1000)
HEARS = ByLength({800: "one", 900: "two", 1000: "no"})


@pytest.fixture
def items(record) -> list[ASRItem]:
    return [ASRItem(f"u{n}", record(f"u{n}.wav", n), "one two", "en") for n in LENGTHS]


@pytest.fixture
def begin(tmp_path, items):
    """Open the folder of the run, with settings and items as they are unless others are given."""

    def opened(settings=None, todo=None) -> ResumableRun:
        chosen = items if todo is None else todo
        return ResumableRun(
            tmp_path / "r", settings or {"model": "a"}, chosen, lambda item: (item.audio,)
        )

    return opened


def names(run: ResumableRun) -> list[str]:
    return [item.id for item in run.pending]


def work(run: ResumableRun, count: int = 9, hears: ByLength = HEARS) -> None:
    """Score the next so many items."""
    for row in score_asr(run.pending[:count], hears, standard_units):
        run.add(row)


def test_what_is_there_is_not_made_again(begin, tmp_path):
    first = begin()
    assert names(first) == ["u800", "u900", "u1000"] and not (tmp_path / "r").exists()
    work(first, 2)
    second = begin()
    assert names(second) == ["u1000"] and second.rows == first.rows
    work(second)
    write_results(tmp_path / "r", second.rows, {})  # as a finished run leaves it
    third = begin()
    assert third.pending == [] and third.rows == second.rows
    assert [row.hypothesis for row in third.rows] == ["one", "two", "no"]


def test_a_torn_line_is_made_again(begin, tmp_path):
    work(begin())
    path = tmp_path / "r" / "rows.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    again = begin()
    assert names(again) == ["u1000"]
    work(again)
    assert path.read_bytes() == whole


def test_what_has_a_reason_is_made_again_in_its_place(begin, tmp_path):
    work(begin(), hears=ByLength({800: "one", 1000: "no"}))
    again = begin()
    assert names(again) == ["u900"] and [row.id for row in again.rows] == ["u800", "u1000"]
    work(again)
    assert [row.outcome for row in begin().rows] == ["scored"] * 3
    assert [row.id for row in again.rows] == ["u800", "u900", "u1000"]
    assert len((tmp_path / "r" / "rows.jsonl").read_text().splitlines()) == 3


def test_other_audio_is_heard_again(begin, record):
    work(begin())
    record("u900.wav", 800)
    again = begin()
    assert names(again) == ["u900"]
    work(again)
    assert [row.hypothesis for row in begin().rows] == ["one", "one", "no"]


def test_other_settings_are_not_mixed_in(begin, items):
    work(begin({"model": "a", "words": ("x",)}), 1)
    assert names(begin({"model": "a", "words": ("x",)})) == ["u900", "u1000"]
    with pytest.raises(ValueError, match="model: 'a' then, 'b' now.*another output folder, or del"):
        begin({"model": "b", "words": ("x",)})
    with pytest.raises(ValueError, match="utterances: 3 then, 2 now"):
        begin({"model": "a", "words": ("x",)}, items[:2])
    other = ASRItem("u800", items[0].audio, "other text", "en")
    with pytest.raises(ValueError, match="utterances_sha1"):
        begin({"model": "a", "words": ("x",)}, [other, *items[1:]])


def test_settings_count_once_there_are_rows(begin):
    begin({"model": "mistyped"})
    work(begin({"model": "a"}))


def test_rows_of_unknown_settings_and_damage(begin, tmp_path):
    work(begin())
    rows, run = tmp_path / "r" / "rows.jsonl", tmp_path / "r" / "run.json"
    rows.write_text(json.dumps({"id": "u800", "text": "one"}) + "\n")
    with pytest.raises(ValueError, match="line 1 is damaged"):
        begin()
    run.write_text("{")
    with pytest.raises(ValueError, match=r"run\.json is damaged"):
        begin()
    run.unlink()
    with pytest.raises(ValueError, match=r"no run\.json"):
        begin()

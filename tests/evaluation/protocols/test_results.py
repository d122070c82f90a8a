"""Result files say what the rows say."""

import csv
import json
import re

from catok.evaluation.protocols.results import write_results
from catok.evaluation.protocols.utterance_score import UtteranceScore
from catok.evaluation.text_units import TEXT_UNITS

SEED = TEXT_UNITS["seed-tts-eval"]
ROWS = [
    UtteranceScore.pending("a|1", "one | two", "en", SEED).with_hypothesis("one\ntoo", SEED),
    UtteranceScore.pending("b", "一二", "zh", SEED),
]


def test_files_agree(tmp_path):
    where = write_results(tmp_path / "new" / "folder", ROWS, {"data": "here"})
    folder = where.parent
    lines = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    assert lines == [row.as_row() for row in ROWS]
    with (folder / "rows.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["id"] for row in table] == ["a|1", "b"]
    assert table[0]["wer"] == "50.0" and table[1]["wer"] == ""
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["facts"] == {"data": "here"}
    assert [line["mean"] for line in summary["summary"]] == [50, None]
    with (folder / "summary.csv").open(newline="") as file:
        assert [line["missing"] for line in csv.DictReader(file)] == ["0", "1"]
    assert not list(folder.glob(".*"))


def test_markdown_is_for_people(tmp_path):
    text = write_results(tmp_path, ROWS, {"data": "here"}).read_text()
    assert "- data: here" in text
    assert "| mean % | 50.00 |  |" in text
    assert "| b | missing |  |" in text
    assert r"| a\|1 | WER 50.0 % | 1/0/0 of 2 | one \| two | one too |" in text


def test_only_so_many_of_the_worst(tmp_path):
    rows = [ROWS[0], UtteranceScore.pending("c", "one", "en", SEED).with_hypothesis("two", SEED)]
    assert "## The 2 worst" in write_results(tmp_path, rows, {}).read_text()
    text = write_results(tmp_path, rows, {}, num_worst=1).read_text()
    assert "## The 1 worst" in text and "| c | WER 100.0 % |" in text
    assert "worst" not in write_results(tmp_path, rows, {}, num_worst=0).read_text()


def test_texts_are_shown_and_not_obeyed(tmp_path):
    evil = "<script>x</script> [l](http://x) \x1b[31m `c` **b** caf\udce9"
    rows = [
        UtteranceScore.pending(evil, "one", evil, SEED).with_hypothesis(evil, SEED),
        UtteranceScore.pending(evil, evil, "en", SEED),
    ]
    where = write_results(tmp_path, rows, {"data": evil})
    text = where.read_bytes().decode()  # UTF-8
    assert "<script>" not in text and "://" not in text and "\x1b" not in text
    assert not re.search(r"(?<!\\)[\[\]*`]", text)
    assert [json.loads(line)["id"] for line in (tmp_path / "rows.jsonl").open()] == [evil, evil]

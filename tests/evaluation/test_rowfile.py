"""Rows are kept over interruptions, each once."""

import json

import pytest

from catok.evaluation.results_folder import RowFile
from catok.evaluation.run.rows import RowKey, row_key


def row(key: str, **more) -> dict:
    return {"key": key, "system": "s", "setting": "1", "errors": {}} | more


def test_a_torn_last_line_is_dropped_and_of_two_rows_the_later_counts(tmp_path):
    rows = RowFile(tmp_path / "rows.jsonl", row_key)
    rows.append([row("a"), row("b")])
    rows.append([row("b", late=True), row("c")])
    with rows.path.open("a") as file:
        file.write('{"key": "d", "sys')
    again = RowFile(rows.path, row_key)
    assert again.rows == [row("a"), row("b", late=True), row("c")] == rows.rows
    again.compact()
    assert len(rows.path.read_text().splitlines()) == 3
    again.append([row("é")])
    assert [r["key"] for r in RowFile(rows.path, row_key).rows] == ["a", "b", "c", "é"]
    assert RowKey("c", "s", "1") in again
    assert RowKey("c", "s", "2") not in again
    again.drop([row("a"), row("c")])
    assert [r["key"] for r in RowFile(rows.path, row_key).rows] == ["b", "é"]


def test_a_line_separator_in_a_row_ends_no_line(tmp_path):
    rows = RowFile(tmp_path / "rows.jsonl", row_key)
    rows.append([row("a\u2028b\x85c\udce9")])
    assert RowFile(rows.path, row_key).rows == rows.rows


def test_damage_elsewhere_is_named(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"key"\n' + json.dumps(row("a")) + "\n")
    with pytest.raises(ValueError, match="line 1"):
        RowFile(tmp_path / "rows.jsonl", row_key)

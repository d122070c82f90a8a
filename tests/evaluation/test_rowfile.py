"""Rows are kept over interruptions, each once."""

import json

import pytest

from catok.evaluation.rowfile import RowFile
from catok.evaluation.run.rows import Place, place


def row(key: str, **more) -> dict:
    return {"key": key, "system": "s", "setting": "1", "errors": {}} | more


def test_a_torn_last_line_is_dropped_and_rows_are_unique(tmp_path):
    rows = RowFile(tmp_path / "rows.jsonl", place)
    rows.append([row("a"), row("b")])
    rows.append([row("b", late=True), row("c")])
    with rows.path.open("a") as file:
        file.write('{"key": "d", "sys')
    again = RowFile(rows.path, place)
    assert again.rows == [row("a"), row("b"), row("c")]
    again.append([row("é")])
    assert [r["key"] for r in RowFile(rows.path, place).rows] == ["a", "b", "c", "é"]
    assert Place("c", "s", "1") in again
    assert Place("c", "s", "2") not in again
    again.drop([row("a"), row("c")])
    assert [r["key"] for r in RowFile(rows.path, place).rows] == ["b", "é"]


def test_damage_elsewhere_is_named(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"key"\n' + json.dumps(row("a")) + "\n")
    with pytest.raises(ValueError, match="line 1"):
        RowFile(tmp_path / "rows.jsonl", place)

"""Result files: rows.jsonl and rows.csv, summary.json, summary.csv and summary.md."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from catok.evaluation.markdown import markdown, markdown_table
from catok.evaluation.protocols.scored import Scored
from catok.evaluation.protocols.summary import COUNTS, summarise, worst
from catok.evaluation.results_folder import ROWS
from catok.io.files import replacing

RATES = ("mean", "corpus", "mean_of_all", "corpus_of_all")  # per cent


def write_results(
    folder: str | Path, rows: Sequence[Scored], facts: Mapping[str, Any], bad: int = 20
) -> Path:
    """Write the rows, their summary, and how they came about (`facts`), into a folder.

    The folder is made if need be; files in it are replaced one by one. `bad`: how many of the worst
    utterances the Markdown lists. Returns the path of summary.md.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    plain, summary = [row.as_row() for row in rows], summarise(rows)
    lines = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in plain)
    _write(folder / ROWS, lines)
    _write(folder / "rows.csv", _csv(plain))
    content = {"facts": dict(facts), "summary": summary}
    _write(folder / "summary.json", json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    _write(folder / "summary.csv", _csv(summary))
    _write(folder / "summary.md", as_markdown(rows, facts, bad))
    return folder / "summary.md"


def as_markdown(rows: Sequence[Scored], facts: Mapping[str, Any], bad: int = 20) -> str:
    """The summary for people: a table, what is missing or failed, and the worst utterances."""
    parts = ["\n".join(f"- {name}: {markdown(str(value))}" for name, value in facts.items())]
    parts.append(summary_table(rows))
    lost = [row for row in rows if row.outcome != "scored"]
    if lost:
        table = [list(map(markdown, (row.id, row.outcome, row.reason or ""))) for row in lost]
        head = ["utterance", "outcome", "reason"]
        parts += ["## Missing or failed", markdown_table([head, *table])]
    listed = worst(rows, bad)
    if listed:
        parts += [f"## The {len(listed)} worst", markdown_table(_worst(listed))]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary_table(rows: Sequence[Scored]) -> str:
    """`summarise` as a Markdown table with a column per language."""
    summary = summarise(rows)
    names = dict.fromkeys(name for line in summary for name in line)
    table = []
    for name in names:
        values = [line.get(name) for line in summary]
        if name.endswith(COUNTS) and values == [line["scored"] for line in summary]:
            continue  # all that were scored have the figure
        table.append([f"{name} %" if name in RATES else name, *(_cell(name, v) for v in values)])
    return markdown_table(table)


def _worst(rows: Sequence[Scored]) -> list[list[str]]:
    table = [["utterance", "rate", "sub/del/ins", "text", "recognised"]]
    for row in rows:
        assert row.errors is not None
        errors, of = row.errors, row.length
        counts = f"{errors.substitutions}/{errors.deletions}/{errors.insertions} of {of}"
        rate = f"{row.measure.upper()} {row.percent:.1f} %"
        texts = map(markdown, (row.text, row.hypothesis or ""))
        table.append([markdown(row.id), rate, counts, *texts])
    return table


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in RATES:
        return f"{value:.2f}"
    return f"{value:.4g}" if isinstance(value, float) else markdown(str(value))


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8", errors="backslashreplace")

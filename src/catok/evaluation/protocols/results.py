"""Summaries per language, and the files: rows.jsonl and rows.csv, summary.json, .csv and .md."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from catok.evaluation.edit_distance import EditCounts
from catok.evaluation.markdown import markdown, markdown_table
from catok.evaluation.protocols.utterance_score import UtteranceScore
from catok.evaluation.results_folder import ROWS
from catok.io.files import replacing

RATES = ("mean", "corpus", "mean_of_all", "corpus_of_all")  # per cent


def write_results(
    folder: str | Path,
    rows: Sequence[UtteranceScore],
    facts: Mapping[str, Any],
    num_worst: int = 20,
) -> Path:
    """Write the rows, their summary, and how they came about (`facts`), into a folder.

    The folder is made if need be; files in it are replaced one by one. `num_worst`: how many
    of the worst utterances the Markdown lists. Returns the path of summary.md.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    plain, summary = [row.as_row() for row in rows], summarize(rows)
    lines = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in plain)
    _write(folder / ROWS, lines)
    _write(folder / "rows.csv", _csv(plain))
    content = {"facts": dict(facts), "summary": summary}
    _write(folder / "summary.json", json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    _write(folder / "summary.csv", _csv(summary))
    _write(folder / "summary.md", as_markdown(rows, facts, num_worst))
    return folder / "summary.md"


def as_markdown(
    rows: Sequence[UtteranceScore], facts: Mapping[str, Any], num_worst: int = 20
) -> str:
    """The summary for people: a table, what is missing or failed, and the worst utterances."""
    parts = ["\n".join(f"- {name}: {markdown(str(value))}" for name, value in facts.items())]
    parts.append(summary_table(rows))
    not_scored = [row for row in rows if row.outcome != "scored"]
    if not_scored:
        table = [list(map(markdown, (row.id, row.outcome, row.reason or ""))) for row in not_scored]
        head = ["utterance", "outcome", "reason"]
        parts += ["## Missing or failed", markdown_table([head, *table])]
    listed = worst_utterances(rows, num_worst)
    if listed:
        parts += [f"## The {len(listed)} worst", markdown_table(_worst_rows(listed))]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary_table(rows: Sequence[UtteranceScore]) -> str:
    """`summarize` as a Markdown table with a column per language."""
    summary = summarize(rows)
    names = dict.fromkeys(name for line in summary for name in line)
    table = []
    for name in names:
        values = [line.get(name) for line in summary]
        if name.endswith(COUNTS) and values == [line["scored"] for line in summary]:
            continue  # all that were scored have the figure
        table.append([f"{name} %" if name in RATES else name, *(_cell(name, v) for v in values)])
    return markdown_table(table)


def _worst_rows(rows: Sequence[UtteranceScore]) -> list[list[str]]:
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


COUNTS = "_utterances"  # after a figure's name: how many have it


def summarize(rows: Sequence[UtteranceScore]) -> list[dict[str, Any]]:
    """One line per language. Rates are in per cent of words (wer) or characters (cer).

    - `mean`: of the utterances' rates, as Seed-TTS-Eval counts; `corpus`: all errors by all words,
      as recognisers are judged, so that long utterances weigh more. Of scored utterances.
    - `mean_of_all`, `corpus_of_all`: the same, with missing and failed utterances taken as if
      nothing had been said: every word deleted.
    - counts of utterances, by outcome, and of errors, by kind.
    - means of the other figures, each with the number of utterances that have it.

    None stands where nothing was scored.
    """
    groups = sorted({(row.language, row.measure) for row in rows})
    return [
        {"language": language, "measure": measure}
        | _language_summary([r for r in rows if (r.language, r.measure) == (language, measure)])
        for language, measure in groups
    ]


def worst_utterances(rows: Sequence[UtteranceScore], count: int) -> list[UtteranceScore]:
    """The utterances with the highest error rates, worst first; those without errors are not."""
    wrong = [row for row in rows if row.errors is not None and row.errors.total]
    return sorted(wrong, key=_by_severity)[:count]


def _by_severity(row: UtteranceScore) -> tuple[float, int, str]:
    assert row.errors is not None
    return -row.errors.rate, -row.errors.total, row.id


def _language_summary(rows: Sequence[UtteranceScore]) -> dict[str, Any]:
    scored = [row.errors for row in rows if row.errors is not None]
    unscored = [EditCounts(deletions=r.length) for r in rows if r.errors is None and r.length]
    total = sum(scored, EditCounts())
    names = dict.fromkeys(name for row in rows for name in row.figures)
    return {
        "utterances": len(rows),
        "scored": len(scored),
        "missing": sum(row.outcome == "missing" for row in rows),
        "failed": sum(row.outcome == "failed" for row in rows),
        "mean": _mean(scored),
        "corpus": _corpus(scored),
        "mean_of_all": _mean([*scored, *unscored]),
        "corpus_of_all": _corpus([*scored, *unscored]),
        "substitutions": total.substitutions,
        "deletions": total.deletions,
        "insertions": total.insertions,
        "length": total.reference,
    } | {key: value for name in names for key, value in _mean_figure(name, rows).items()}


def _mean(errors: Sequence[EditCounts]) -> float | None:
    return 100 * fmean(counts.rate for counts in errors) if errors else None


def _corpus(errors: Sequence[EditCounts]) -> float | None:
    return 100 * sum(errors, EditCounts()).rate if errors else None


def _mean_figure(name: str, rows: Sequence[UtteranceScore]) -> dict[str, float]:
    values = [row.figures[name] for row in rows if name in row.figures]
    return {name: fmean(values), name + COUNTS: len(values)}

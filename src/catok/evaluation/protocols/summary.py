"""What all judged utterances come to, per language."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from catok.evaluation.edit_distance import EditCounts
from catok.evaluation.protocols.scored import Scored

COUNTS = "_utterances"  # after a figure's name: how many have it


def summarise(rows: Sequence[Scored]) -> list[dict[str, Any]]:
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
        | _line([r for r in rows if (r.language, r.measure) == (language, measure)])
        for language, measure in groups
    ]


def worst(rows: Sequence[Scored], count: int) -> list[Scored]:
    """The utterances with the highest error rates, worst first; those without errors are not."""
    wrong = [row for row in rows if row.errors is not None and row.errors.total]
    return sorted(wrong, key=_badness)[:count]


def _badness(row: Scored) -> tuple[float, int, str]:
    assert row.errors is not None
    return -row.errors.rate, -row.errors.total, row.id


def _line(rows: Sequence[Scored]) -> dict[str, Any]:
    scored = [row.errors for row in rows if row.errors is not None]
    silent = [EditCounts(deletions=r.length) for r in rows if r.errors is None and r.length]
    total = sum(scored, EditCounts())
    names = dict.fromkeys(name for row in rows for name in row.figures)
    return {
        "utterances": len(rows),
        "scored": len(scored),
        "missing": sum(row.outcome == "missing" for row in rows),
        "failed": sum(row.outcome == "failed" for row in rows),
        "mean": _mean(scored),
        "corpus": _corpus(scored),
        "mean_of_all": _mean([*scored, *silent]),
        "corpus_of_all": _corpus([*scored, *silent]),
        "substitutions": total.substitutions,
        "deletions": total.deletions,
        "insertions": total.insertions,
        "length": total.reference,
    } | {key: value for name in names for key, value in _figure(name, rows).items()}


def _mean(errors: Sequence[EditCounts]) -> float | None:
    return 100 * fmean(one.rate for one in errors) if errors else None


def _corpus(errors: Sequence[EditCounts]) -> float | None:
    return 100 * sum(errors, EditCounts()).rate if errors else None


def _figure(name: str, rows: Sequence[Scored]) -> dict[str, float]:
    values = [row.figures[name] for row in rows if name in row.figures]
    return {name: fmean(values), name + COUNTS: len(values)}

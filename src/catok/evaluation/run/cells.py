"""How figures look in tables."""

from collections.abc import Sequence

from catok.evaluation.metrics.base import Column
from catok.evaluation.run.statistics import Estimate
from catok.evaluation.run.summary import Group

NOTHING = "\u2013"
BEST = (
    "Bold: the best of those at a similar bitrate (classes end at 0.5, 1, 2, 4, ... kbit/s); the "
    "best of all where no two systems share a class."
)
ARROWS = {"higher": " ↑", "lower": " ↓", "neither": ""}


def heading(column: Column) -> str:
    """Title, unit and which way is better."""
    unit = f" ({column.unit})" if column.unit else ""
    return column.title + unit + ARROWS[column.better]


def number(value: float | None, digits: int) -> str:
    """With so many decimals; a dash for None."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def significant(value: float | None) -> str:
    """Three significant digits."""
    if value is None:
        return NOTHING
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")


def interval(estimate: Estimate, digits: int) -> str:
    """The ends of an interval; nothing where there is none."""
    if estimate.low is None or estimate.high is None or estimate.scored < 2:
        return ""
    return f"{estimate.low:.{digits}f} to {estimate.high:.{digits}f}"


def shown_columns(columns: Sequence[Column], groups: Sequence[Group]) -> list[Column]:
    """Columns that say how good something is and that have a figure anywhere."""
    return [
        column
        for column in columns
        if column.better != "neither" and any(group.figures[column.name].scored for group in groups)
    ]

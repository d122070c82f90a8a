"""How figures look in tables, and which of them are bold.

The best are marked among systems that spend about as many bits.
"""

import math
from collections import defaultdict
from collections.abc import Sequence

from catok.evaluation.metrics.base import Column
from catok.evaluation.run.bootstrap import Estimate
from catok.evaluation.run.summary import ResultGroup

DASH = "\u2013"
BEST_NOTE = (
    "Bold: the best of those at a similar bitrate (classes end at 0.5, 1, 2, 4, ... kbit/s); the "
    "best of all where no two systems share a class."
)
ARROWS = {"higher": " ↑", "lower": " ↓", "neither": ""}


def column_title(column: Column) -> str:
    """Title, unit and which way is better."""
    unit = f" ({column.unit})" if column.unit else ""
    return column.title + unit + ARROWS[column.better]


def format_number(value: float | None, digits: int) -> str:
    """With so many decimals; a dash for None."""
    return DASH if value is None else f"{value:.{digits}f}"


def format_significant(value: float | None) -> str:
    """Three significant digits."""
    if value is None:
        return DASH
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")


def format_interval(estimate: Estimate, digits: int) -> str:
    """The ends of an interval; nothing where there is none."""
    if estimate.low is None or estimate.high is None or estimate.scored < 2:
        return ""
    return f"{estimate.low:.{digits}f} to {estimate.high:.{digits}f}"


def shown_columns(columns: Sequence[Column], groups: Sequence[ResultGroup]) -> list[Column]:
    """Columns that say how good something is and that have a figure anywhere."""
    return [
        column
        for column in columns
        if column.better != "neither" and any(group.figures[column.name].scored for group in groups)
    ]


CLASS_TOLERANCE = 0.1  # octaves: a system may spend 7 % more than its class ends at

CellKey = tuple[str, str, str]  # system, setting, column


def best_cells(groups: Sequence[ResultGroup], columns: Sequence[Column]) -> set[CellKey]:
    """The best figures per column and class of bitrates; of equal ones, as written, all.

    `groups` are of one domain. Classes end at powers of two of kbit/s: above 1 up to 2, and so on.
    Where no class has two systems, all are one class. The original is in none, and a figure that
    has no rival is not marked.
    """
    rivals = [group for group in groups if group.kind != "original"]
    classes: dict[int, list[ResultGroup]] = defaultdict(list)
    for group in rivals:
        if group.kbps:
            classes[bitrate_class(group.kbps)].append(group)
    contested = [part for part in classes.values() if len({g.system for g in part}) > 1]
    return {
        (group.system, group.setting, column.name)
        for part in contested or [rivals]
        for column in columns
        for group in _best(part, column)
    }


def bitrate_class(kbps: float) -> int:
    """The power of two of kbit/s that it is up to."""
    return math.ceil(math.log2(kbps) - CLASS_TOLERANCE)


def _best(groups: Sequence[ResultGroup], column: Column) -> list[ResultGroup]:
    written = [
        (round(mean, column.digits), group)
        for group in groups
        if (mean := group.figures[column.name].mean) is not None
    ]
    values = {value for value, _ in written}
    if len(values) < 2 or column.better == "neither":
        return []
    top = max(values) if column.better == "higher" else min(values)
    return [group for value, group in written if value == top]

"""Which figures of a table are the best, among systems that spend about as many bits."""

import math
from collections import defaultdict
from collections.abc import Sequence

from catok.evaluation.metrics.base import Column
from catok.evaluation.run.summary import Group

TOLERANCE = 0.1  # octaves: a system may spend 7 % more than its class ends at

Place = tuple[str, str, str]  # system, setting, column


def best_places(groups: Sequence[Group], columns: Sequence[Column]) -> set[Place]:
    """The best figures per column and class of bitrates; of equal ones, as written, all.

    `groups` are of one domain. Classes end at powers of two of kbit/s: above 1 up to 2, and so on.
    Where no class has two systems, all are one class. The original is in none, and a figure that
    has no rival is not marked.
    """
    rivals = [group for group in groups if group.kind != "original"]
    classes: dict[int, list[Group]] = defaultdict(list)
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
    return math.ceil(math.log2(kbps) - TOLERANCE)


def _best(groups: Sequence[Group], column: Column) -> list[Group]:
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

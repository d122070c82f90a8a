"""Rate-quality curves as inline SVG, colored by the page's style sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from catok.evaluation.metrics.base import Column
from catok.evaluation.report.html import escaped, tag
from catok.evaluation.run.formatting import column_title, format_number, format_significant
from catok.evaluation.run.summary import ResultGroup

NUM_COLORS = 8  # classes c0 ... c7 of the style sheet
_WIDTH, _HEIGHT = 360, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 36


@dataclass(frozen=True)
class Axis:
    """A linear map of [low, high] to pixels [start, end], and values to write at it."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def color_class(systems: Sequence[str], name: str) -> str:
    """The class of a system's color."""
    return f"c{systems.index(name) % NUM_COLORS}"


def rate_curve(column: Column, groups: Sequence[ResultGroup], systems: Sequence[str]) -> str:
    """A chart of one figure over bitrate, "" where no compressing system has it.

    `groups` are of one domain; the original is a dashed line where it is near the others.
    """
    points = [g for g in groups if g.kbps and g.figures[column.name].mean is not None]
    if not points:
        return ""
    values = [v for g in points for v in _values_with_interval(g, column)]
    ceiling = [g.figures[column.name].mean for g in groups if g.kind == "original"]
    near = [v for v in ceiling if v is not None and _is_near(v, values)]
    x = rate_axis([g.kbps for g in points if g.kbps])
    y = nice_axis(min(values + near), max(values + near))
    marks = [_frame(x, y)]
    for value in near:
        at = y(value)
        line = tag("title", f"original: {format_number(value, column.digits)}")
        marks.append(tag("line", line, class_="top", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=at, y2=at))
    for name in systems:
        own_groups = sorted((g for g in points if g.system == name), key=lambda g: g.kbps or 0.0)
        if own_groups:
            marks.append(
                tag("g", _system_line(own_groups, column, x, y), class_=color_class(systems, name))
            )
    title = column_title(column)
    picture = tag(
        "svg",
        "".join(marks),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=f"{title} by kbit/s; the figures are in the table",
    )
    return tag("figure", tag("figcaption", escaped(title)) + picture, class_="plot")


def rate_axis(rates: Sequence[float]) -> Axis:
    """A logarithmic axis over kbit/s (its values are base-2 logarithms), written in doublings."""
    low, high = math.log2(min(rates)), math.log2(max(rates))
    room = max(0.25, 0.06 * (high - low))
    low, high = low - room, high + room
    step = max(1, math.ceil((high - low) / 6))
    ticks = tuple(float(n) for n in range(math.ceil(low), math.floor(high) + 1, step))
    return Axis(low, high, _LEFT, _WIDTH - _RIGHT, ticks or ((low + high) / 2,))


def nice_axis(low: float, high: float) -> Axis:
    """An axis over [low, high] with some room and four to eight round ticks."""
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    low, high = low - room, high + room
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough * 0.999)
    ticks = tuple(n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1))
    return Axis(low, high, _HEIGHT - _BOTTOM, _TOP, ticks)


def _values_with_interval(group: ResultGroup, column: Column) -> list[float]:
    estimate = group.figures[column.name]
    return [value for value in (estimate.mean, estimate.low, estimate.high) if value is not None]


def _is_near(value: float, values: Sequence[float]) -> bool:
    """Whether the original fits into the chart without squeezing the rest."""
    low, high = min(values), max(values)
    span = max(high - low, 0.05 * max(abs(low), abs(high)))
    return low - 1.5 * span <= value <= high + 1.5 * span


def _frame(x: Axis, y: Axis) -> str:
    parts = []
    for tick in y.ticks:
        at = y(tick)
        parts.append(tag("line", class_="grid", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=at, y2=at))
        label = f"{tick:.6g}".replace("-", "\u2212")
        parts.append(tag("text", label, x=_LEFT - 6, y=at + 4, text_anchor="end"))
    bottom = _HEIGHT - _BOTTOM
    for tick in x.ticks:
        at = x(tick)
        parts.append(tag("line", class_="grid", x1=at, x2=at, y1=_TOP, y2=bottom))
        parts.append(tag("text", _rate_label(tick), x=at, y=bottom + 15, text_anchor="middle"))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(tag("text", "kbit/s", x=middle, y=_HEIGHT - 6, text_anchor="middle"))
    return tag("g", "".join(parts), class_="axes")


def _rate_label(tick: float) -> str:
    return f"{2.0**tick:.3g}"


def _system_line(groups: Sequence[ResultGroup], column: Column, x: Axis, y: Axis) -> str:
    parts, path = [], []
    for group in groups:
        estimate, rate = group.figures[column.name], group.kbps
        assert rate is not None and estimate.mean is not None
        across, up = x(math.log2(rate)), y(estimate.mean)
        path.append(f"{across},{up}")
        if estimate.low is not None and estimate.high is not None:
            low, high = y(estimate.low), y(estimate.high)
            parts.append(tag("line", class_="range", x1=across, x2=across, y1=low, y2=high))
        note = tag(
            "title",
            escaped(
                f"{group.system}, {group.setting}: {format_number(estimate.mean, column.digits)} "
                f"at {format_significant(rate)} kbit/s"
            ),
        )
        if group.kind == "baseline":
            parts.append(tag("rect", note, x=across - 3.5, y=up - 3.5, width=7, height=7))
        else:
            parts.append(tag("circle", note, cx=across, cy=up, r=4))
    return tag("polyline", class_="path", points=" ".join(path)) + "".join(parts)

"""A report as one web page: findings, tables, and every frame of every task as a colored cell."""

from collections.abc import Iterable, Sequence
from importlib import resources
from string import Template

from catok.conformance.judging import Frame, Outcome
from catok.conformance.report import COLUMNS, ReportLine, lines_of, verdict
from catok.conformance.runner import Report, VariantReport
from catok.evaluation.report.html import escaped, head, tag

_CELL, _GAP, _ROW = 9, 1, 14  # pixels
_TOP_SNR, _PLOT_HEIGHT, _LEFT = 140.0, 130, 34


def as_page(report: Report) -> str:
    """The page; it loads nothing from elsewhere."""
    template = resources.files("catok.conformance").joinpath("page.html").read_text()
    limits, title = report.limits, f"catok verify {report.port}"
    return Template(template).substitute(
        title=escaped(title),
        head=head(title, "img-src data:"),
        verdict=tag(
            "p", escaped(verdict(report)), class_="good" if report.passed else "wrong", id="verdict"
        ),
        limits=escaped(f"{limits.equal:.2%} of the codes, {limits.snr:g} dB in every frame"),
        variants="\n".join(map(_section, report.variants)),
    )


def _section(variant: VariantReport) -> str:
    lines = lines_of(variant)
    items = "".join(
        tag("li", tag("strong", escaped(each.name)) + ": " + escaped(each.text))
        for each in variant.findings
    )
    parts = [
        tag("h2", escaped(variant.name)),
        tag("p", f"The smallest window is full after {variant.window:g} frames."),
        tag("ul", items, class_="findings") if items else "",
    ]
    if lines:
        parts.append(_table(lines))
        for title, figures in (
            ("Codes by frame", _strips(lines)),
            ("SNR by frame, in dB", _curves(lines)),
        ):
            parts += [tag("h3", title), tag("div", "\n".join(figures), class_="frames")]
    return tag("section", "\n".join(parts))


def _table(lines: Sequence[ReportLine]) -> str:
    head = tag("tr", "".join(tag("th", name) for name in COLUMNS))
    rows = [
        tag(
            "tr",
            "".join(tag("td", escaped(cell)) for cell in line.cells()),
            class_=None if line.passed else "wrong",
        )
        for line in lines
    ]
    return tag("div", tag("table", head + "".join(rows)), class_="wide")


def _strips(lines: Iterable[ReportLine]) -> Iterable[str]:
    for line in lines:
        for outcome in line.encode[-1:]:  # of prefixes, the longest
            rows = _by_row(outcome)
            if rows:
                yield tag(
                    "figure",
                    tag("figcaption", escaped(f"{line.check} {line.setting}")) + _strip(rows),
                )


def _strip(rows: Sequence[Sequence[Frame]]) -> str:
    cells = []
    for row, frames in enumerate(rows):
        for at, frame in enumerate(frames):
            kind = "tie" if frame.tie else "right" if frame.equal == frame.judged else "wrong"
            text = f"{frame.recording}, frame {frame.index}: {frame.equal} of {frame.judged} equal"
            place = {"x": at * (_CELL + _GAP), "y": row * _ROW, "width": _CELL, "height": _ROW - 3}
            cells.append(tag("rect", tag("title", escaped(text)), class_=kind, **place))
    width = max(map(len, rows)) * (_CELL + _GAP)
    size = {"width": width, "height": len(rows) * _ROW}
    return tag("svg", "".join(cells), role="img", aria_label="frames that are equal", **size)


def _curves(lines: Iterable[ReportLine]) -> Iterable[str]:
    for line in lines:
        for outcome in line.decode[-1:]:
            rows = _by_row(outcome)
            if rows and max(map(len, rows)) > 1:
                name = tag("figcaption", escaped(f"{line.check} {line.setting}"))
                yield tag("figure", name + _curve(rows, outcome.limits.snr))


def _curve(rows: Sequence[Sequence[Frame]], limit: float) -> str:
    marks = []
    width = max(map(len, rows)) * (_CELL + _GAP)
    for level in (0, 40, 80, 120):
        marks.append(
            tag("line", class_="grid", x1=_LEFT, x2=_LEFT + width, y1=_up(level), y2=_up(level))
        )
        marks.append(tag("text", str(level), x=_LEFT - 5, y=_up(level) + 4, text_anchor="end"))
    y = _up(limit)
    marks.append(tag("line", class_="limit", x1=_LEFT, x2=_LEFT + width, y1=y, y2=y))
    for frames in rows:
        points = [
            f"{_LEFT + at * (_CELL + _GAP)},{_up(frame.snr or 0.0)}"
            for at, frame in enumerate(frames)
        ]
        marks.append(tag("polyline", class_="path", points=" ".join(points)))
    size = {"width": _LEFT + width, "height": _PLOT_HEIGHT + 12}
    return tag("svg", "".join(marks), role="img", aria_label="SNR by frame", **size)


def _up(snr: float) -> float:
    share = min(max(snr, 0.0), _TOP_SNR) / _TOP_SNR
    return round(6 + _PLOT_HEIGHT * (1 - share), 1)


def _by_row(outcome: Outcome) -> list[list[Frame]]:
    rows: dict[int, list[Frame]] = {}
    for frame in outcome.frames:
        rows.setdefault(frame.row, []).append(frame)
    return list(rows.values())

"""report.html: a page that needs nothing but itself."""

from collections.abc import Collection, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from catok.evaluation.metrics.base import Column
from catok.evaluation.report.curves import color_class, rate_curve
from catok.evaluation.report.html import escaped, head, join_lines, tag
from catok.evaluation.report.players import players
from catok.evaluation.run.bootstrap import Estimate
from catok.evaluation.run.formatting import (
    ARROWS,
    BEST_NOTE,
    CellKey,
    best_cells,
    column_title,
    format_interval,
    format_number,
    format_significant,
    shown_columns,
)
from catok.evaluation.run.summary import ALL_DOMAINS, FailedRow, ResultGroup, Summary
from catok.evaluation.run.tables import summary_facts
from catok.io.files import replacing

FIRST = ("data", "recordings", "weights", "left out", "command", "date")  # facts above the fold
MEDIA = "img-src data:; media-src data:; script-src 'unsafe-inline'"
MOST_FAILURES = 500  # lines of the list; all of them are in rows.parquet


def write_report(out: Path, summary: Summary) -> Path:
    """Write OUT/report.html of a run in `out` and return its path."""
    path = out / "report.html"
    with replacing(path) as temporary:
        Path(temporary).write_text(page(out, summary), encoding="utf-8")
    return path


def page(out: Path, summary: Summary) -> str:
    """The whole page. Clips are read from the folder `out`."""
    template = Template(
        files("catok.evaluation.report").joinpath("page.html").read_text(encoding="utf-8")
    )
    systems = list(dict.fromkeys(g.system for g in summary.groups if g.kind != "original"))
    facts = summary_facts(summary)
    first = [pair for pair in facts if pair[0] in FIRST]
    details = _details(
        "Versions and machine", _definition_list([p for p in facts if p[0] not in FIRST]), False
    )
    return template.substitute(
        title=escaped(_title(summary)),
        head=head(_title(summary), MEDIA),
        facts=_definition_list(first) + details,
        best=escaped(BEST_NOTE),
        tables=join_lines(_table(summary, domain) for domain in summary.shown_domains()),
        legend=_legend(systems),
        curves=join_lines(_curves(summary, domain, systems) for domain in summary.shown_domains()),
        examples=players(out, summary.examples),
        codebooks=_codebooks(summary),
        failures=_failures(summary.failures),
    )


def _definition_list(facts: Sequence[tuple[str, str]]) -> str:
    lines = [
        tag("dt", escaped(name))
        + tag("dd", tag("code" if name == "command" else "span", escaped(value)))
        for name, value in facts
    ]
    return tag("dl", "".join(lines))


def _title(summary: Summary) -> str:
    models = dict.fromkeys(g.system for g in summary.groups if g.kind == "model")
    return f"Evaluation of {', '.join(models) or 'systems'} on {summary.recordings} recordings"


def _details(title: str, content: str, is_open: bool) -> str:
    return tag("details", tag("summary", escaped(title)) + content, open=is_open)


def _domain_title(domain: str) -> str:
    return "All recordings" if domain == ALL_DOMAINS else f"Domain: {domain}"


def _table(summary: Summary, domain: str) -> str:
    groups = summary.of_domain(domain)
    columns = shown_columns(summary.columns, groups)
    titles = ["system", "kbit/s", "files", *map(column_title, columns), "RTF encode", "RTF decode"]
    best = best_cells(groups, columns)
    rows = [_row(group, columns, best) for group in groups]
    return _details(
        _domain_title(domain),
        _scrolling_table(titles, rows, _domain_title(domain)),
        domain == ALL_DOMAINS,
    )


def _row(group: ResultGroup, columns: Sequence[Column], best: Collection[CellKey]) -> str:
    cells = [_system(group), _cell(group.kbps, format_significant(group.kbps)), _files(group)]
    for column in columns:
        is_best = (group.system, group.setting, column.name) in best
        cells.append(_figure(group.figures[column.name], column.digits, is_best))
    timed = group.kind != "original"
    factors = (group.encode_rtf, group.decode_rtf) if timed else (None, None)
    cells += [_cell(value, format_significant(value)) for value in factors]
    return tag("tr", "".join(cells), class_=group.kind)


def _system(group: ResultGroup) -> str:
    """The name, with what it is set to below."""
    name = escaped(group.system)
    if group.kind == "original":
        return tag("th", name, scope="row", data_name=group.system)
    count = group.num_quantizers
    books = f", {count} codebook{'s' if count > 1 else ''}" if count else ""
    return tag(
        "th",
        name + tag("small", escaped(group.setting + books)),
        scope="row",
        data_name=group.system,
    )


def _files(group: ResultGroup) -> str:
    lost = tag("small", f"{group.failed} failed") if group.failed else ""
    return tag("td", str(group.files) + lost, data_v=group.files, class_="n")


def _figure(estimate: Estimate, digits: int, is_best: bool) -> str:
    shown = escaped(format_number(estimate.mean, digits))
    shown = tag("strong", shown) if is_best else shown
    ends = format_interval(estimate, digits).replace(" to ", " \u2013 ")
    note = f"{estimate.scored} scored" + (f", {estimate.failed} failed" if estimate.failed else "")
    return tag(
        "td",
        shown + (tag("small", escaped(ends)) if ends else ""),
        data_v=estimate.mean,
        title=note,
        class_="n",
    )


def _cell(value: float | None, shown: str) -> str:
    return tag("td", escaped(shown), data_v=value, class_="n")


def _scrolling_table(
    titles: Sequence[str], rows: Sequence[str], name: str, kind: str = "figures"
) -> str:
    """A table of "figures" or "texts"; it scrolls where it is wider than the page, and says so."""
    head = "".join(
        tag("th", tag("button", escaped(_with_fixed_arrow(title)), type="button"), scope="col")
        for title in titles
    )
    table = tag("thead", tag("tr", head)) + tag("tbody", join_lines(rows))
    hint = tag("p", "Wider than the page: scroll sideways \u2192", class_="hint", hidden=True)
    scrolled = tag(
        "div",
        tag("table", table),
        class_=f"wide {kind}",
        tabindex=0,
        role="region",
        aria_label=name,
    )
    return hint + scrolled


def _legend(systems: Sequence[str]) -> str:
    items = [tag("li", escaped(name), class_=color_class(systems, name)) for name in systems]
    return tag("ul", "".join(items), class_="legend")


def _curves(summary: Summary, domain: str, systems: Sequence[str]) -> str:
    groups = summary.of_domain(domain)
    columns = shown_columns(summary.columns, groups)
    plots = [plot for column in columns if (plot := rate_curve(column, groups, systems))]
    content = (
        tag("div", join_lines(plots), class_="plots") if plots else tag("p", "Nothing to draw.")
    )
    return _details(_domain_title(domain), content, domain == ALL_DOMAINS)


def _with_fixed_arrow(title: str) -> str:
    """A heading whose arrow stays with its last word."""
    for arrow in ARROWS.values():
        if arrow and title.endswith(arrow):
            return title.removesuffix(arrow) + arrow.replace(" ", "\u00a0")
    return title


def _codebooks(summary: Summary) -> str:
    parts = []
    for system, use in summary.codebooks.items():
        rows = [
            tag(
                "tr",
                tag("th", str(book), scope="row", data_v=book)
                + _cell(used, str(used))
                + _cell(entropy, format_number(entropy, 2))
                + _cell(effective, format_number(effective, 1)),
            )
            for book, (used, entropy, effective) in enumerate(
                zip(use.in_use, use.entropy, use.perplexity, strict=True), 1
            )
        ]
        titles = ["codebook", "codes in use", "entropy (bits)", "perplexity"]
        grid = _scrolling_table(titles, rows, f"Codebooks of {system}")
        note = tag(
            "p",
            f"{use.codes[0]} frames counted. An ideal entropy coder of single codes would spend "
            f"{use.bits_per_second:.0f} of {use.nominal_bits_per_second:.0f} bit/s.",
        )
        parts.append(_details(system, note + grid, False))
    return join_lines(parts) or tag("p", "No system gave codes.")


def _failures(failures: Sequence[FailedRow]) -> str:
    if not failures:
        return tag("p", "None.")
    rows = [
        tag(
            "tr",
            "".join(tag("td", escaped(v)) for v in (f.key, f.system, f.setting, f.flag, f.error)),
        )
        for f in failures[:MOST_FAILURES]
    ]
    left = len(failures) - len(rows)
    note = tag("p", f"{left} more are in rows.parquet.") if left else ""
    titles = ["recording", "system", "setting", "flag", "what"]
    return _scrolling_table(titles, rows, "Flags and failures", "texts") + note

"""report.html: a page that needs nothing but itself."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from catok.evaluation.metrics.base import Column
from catok.evaluation.report.curves import colour, curve
from catok.evaluation.report.html import join, tag, text
from catok.evaluation.report.players import players
from catok.evaluation.run.cells import heading, interval, number, shown_columns, significant
from catok.evaluation.run.statistics import Estimate
from catok.evaluation.run.summary import ALL, Failure, Group, Summary
from catok.evaluation.run.tables import facts
from catok.io.files import replacing

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
    pairs = "".join(tag("dt", text(k)) + tag("dd", text(v)) for k, v in facts(summary))
    return template.substitute(
        title=text(_title(summary)),
        facts=tag("dl", pairs),
        tables=join(_table(summary, domain) for domain in summary.shown_domains()),
        legend=_legend(systems),
        curves=join(_curves(summary, domain, systems) for domain in summary.shown_domains()),
        examples=players(out, summary.examples),
        codebooks=_codebooks(summary),
        failures=_failures(summary.failures),
    )


def _title(summary: Summary) -> str:
    models = dict.fromkeys(g.system for g in summary.groups if g.kind == "model")
    return f"Evaluation of {', '.join(models) or 'systems'} on {summary.recordings} recordings"


def _folded(title: str, content: str, is_open: bool) -> str:
    return tag("details", tag("summary", text(title)) + content, open=is_open)


def _name(domain: str) -> str:
    return "All recordings" if domain == ALL else f"Domain: {domain}"


def _table(summary: Summary, domain: str) -> str:
    groups = summary.of_domain(domain)
    columns = shown_columns(summary.columns, groups)
    titles = ["system", "setting", "kbit/s", "codebooks", "files", "failed"]
    titles += [*map(heading, columns), "RTF encode", "RTF decode"]
    rows = [_row(group, columns) for group in groups]
    return _folded(_name(domain), _grid(titles, rows), domain == ALL)


def _row(group: Group, columns: Sequence[Column]) -> str:
    cells = [tag("th", text(group.system), scope="row"), tag("td", text(group.setting))]
    cells += [_cell(group.kbps, significant(group.kbps))]
    depth = group.num_quantizers
    cells += [_cell(n, number(n, 0)) for n in (depth, group.files, group.failed)]
    cells += [_figure(group.figures[column.name], column.digits) for column in columns]
    timed = group.kind != "original"
    factors = (group.encode_rtf, group.decode_rtf) if timed else (None, None)
    cells += [_cell(value, significant(value)) for value in factors]
    return tag("tr", "".join(cells), class_=group.kind)


def _figure(found: Estimate, digits: int) -> str:
    shown = text(number(found.mean, digits))
    ends = interval(found, digits)
    note = f"{found.scored} scored" + (f", {found.failed} failed" if found.failed else "")
    return tag(
        "td",
        shown + (tag("small", text(ends)) if ends else ""),
        data_v=found.mean,
        title=note,
        class_="n",
    )


def _cell(value: float | None, shown: str) -> str:
    return tag("td", text(shown), data_v=value, class_="n")


def _grid(titles: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(
        tag("th", tag("button", text(title), type="button"), scope="col") for title in titles
    )
    table = tag("thead", tag("tr", head)) + tag("tbody", join(rows))
    return tag("div", tag("table", table), class_="wide", tabindex=0)


def _legend(systems: Sequence[str]) -> str:
    items = [tag("li", text(name), class_=colour(systems, name)) for name in systems]
    return tag("ul", "".join(items), class_="legend")


def _curves(summary: Summary, domain: str, systems: Sequence[str]) -> str:
    groups = summary.of_domain(domain)
    columns = shown_columns(summary.columns, groups)
    plots = [plot for column in columns if (plot := curve(column, groups, systems))]
    content = tag("div", join(plots), class_="plots") if plots else tag("p", "Nothing to draw.")
    return _folded(_name(domain), content, domain == ALL)


def _codebooks(summary: Summary) -> str:
    parts = []
    for system, use in summary.codebooks.items():
        rows = [
            tag(
                "tr",
                tag("th", str(book), scope="row", data_v=book)
                + _cell(used, str(used))
                + _cell(entropy, number(entropy, 2))
                + _cell(effective, number(effective, 1)),
            )
            for book, (used, entropy, effective) in enumerate(
                zip(use.in_use, use.entropy, use.perplexity, strict=True), 1
            )
        ]
        grid = _grid(["codebook", "codes in use", "entropy (bits)", "perplexity"], rows)
        note = tag(
            "p",
            f"{use.codes[0]} frames counted. An ideal entropy coder of single codes would spend "
            f"{use.bits_per_second:.0f} of {use.nominal_bits_per_second:.0f} bit/s.",
        )
        parts.append(_folded(system, note + grid, False))
    return join(parts) or tag("p", "No system gave codes.")


def _failures(failures: Sequence[Failure]) -> str:
    if not failures:
        return tag("p", "None.")
    rows = [
        tag(
            "tr", "".join(tag("td", text(v)) for v in (f.key, f.system, f.setting, f.flag, f.error))
        )
        for f in failures[:MOST_FAILURES]
    ]
    left = len(failures) - len(rows)
    note = tag("p", f"{left} more are in rows.parquet.") if left else ""
    return _grid(["recording", "system", "setting", "flag", "what"], rows) + note

"""The summary as Markdown, CSV and JSON, and the rows as Parquet."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from catok.evaluation.markdown import markdown, markdown_table, readable
from catok.evaluation.metrics.base import Column
from catok.evaluation.results_folder import Row
from catok.evaluation.run.formatting import (
    BEST_NOTE,
    best_cells,
    column_title,
    format_interval,
    format_number,
    format_significant,
    shown_columns,
)
from catok.evaluation.run.summary import ALL_DOMAINS, ResultGroup, Summary, join_reasons
from catok.extras import install
from catok.io.files import replacing

_ROW_TYPES = {
    "key": "string",
    "audio_sha1": "string",
    "domain": "string",
    "language": "string",
    "corpus": "string",
    "band_edge": "float64",
    "seconds": "float64",
    "sample_rate": "int64",
    "channels": "int64",
    "flag": "string",
    "system": "string",
    "setting": "string",
    "bits": "int64",
    "kbps": "float64",
    "num_quantizers": "int64",
    "encode_seconds": "float64",
    "decode_seconds": "float64",
    "weights": "string",
    "code_space": "string",
}


def check_parquet() -> Any:
    """The pyarrow module. Raises ValueError without it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ValueError(f"rows.parquet needs pyarrow: {install('eval')}") from error
    return pyarrow


def write_tables(
    out: Path, summary: Summary, rows: Sequence[Row], columns: Sequence[Column]
) -> None:
    """rows.parquet, summary.json, summary.csv and summary.md in the folder `out`."""
    _write(out / "summary.json", json.dumps(summary.as_dict(), indent=1, allow_nan=False) + "\n")
    _write(out / "summary.csv", as_csv(summary))
    _write(out / "summary.md", as_markdown(summary))
    write_parquet(out / "rows.parquet", rows, columns)


def write_parquet(path: Path, rows: Sequence[Row], columns: Sequence[Column]) -> None:
    """One row per recording, system and setting; all errors of a row in one text, and in another
    why there is no figure though nothing went wrong.
    """
    arrow = check_parquet()
    types = {c.name: "string" if c.kind == "text" else "float64" for c in columns}
    kinds = _ROW_TYPES | types | {"error": "string", "note": "string"}
    schema = arrow.schema([(name, arrow.type_for_alias(kind)) for name, kind in kinds.items()])
    ordered = sorted(rows, key=lambda row: (row["key"], row["system"], row["setting"]))
    plain = [
        {n: _readable(row.get(n)) for n in kinds}
        | {"error": _readable(join_reasons(row["errors"])), "note": join_reasons(row["notes"])}
        for row in ordered
    ]
    with replacing(path) as temporary:
        arrow.parquet.write_table(arrow.Table.from_pylist(plain, schema=schema), temporary)


def as_csv(summary: Summary) -> str:
    """A line per system, setting, domain and figure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ("domain", "system", "setting", "kbps", "num_quantizers", "figure")
    writer.writerow((*head, "mean", "low", "high", "scored", "failed"))
    for group in summary.groups:
        place = map(readable, (group.domain, group.system, group.setting))
        start = (*place, group.kbps, group.num_quantizers)
        for name in ("encode_rtf", "decode_rtf"):
            coded = group.files - group.failed
            writer.writerow((*start, name, getattr(group, name), "", "", coded, group.failed))
        for name, estimate in group.figures.items():
            numbers = (estimate.mean, estimate.low, estimate.high, estimate.scored, estimate.failed)
            writer.writerow((*start, name, *numbers))
    return text.getvalue()


def as_markdown(summary: Summary) -> str:
    """Tables per domain, the use of the codebooks, and where the figures come from."""
    lines = ["# Evaluation", ""]
    lines += [f"{name}: {markdown(value)}  " for name, value in summary_facts(summary)]
    for domain in summary.shown_domains():
        title = "All recordings" if domain == ALL_DOMAINS else f"Domain: {markdown(domain)}"
        lines += ["", f"## {title}", "", _table(summary, summary.of_domain(domain))]
    lines += ["", "Means over the recordings scored, with 95 % bootstrap intervals in brackets."]
    lines += [BEST_NOTE]
    for system, use in summary.codebooks.items():
        head = ["codebook", "codes in use", "entropy (bits)", "perplexity"]
        body = [
            [str(i), str(used), f"{entropy:.2f}", f"{effective:.1f}"]
            for i, (used, entropy, effective) in enumerate(
                zip(use.in_use, use.entropy, use.perplexity, strict=True), 1
            )
        ]
        lines += ["", f"## Codebooks of {markdown(system)}", ""]
        lines += [markdown_table([head, *body]), ""]
        lines += [f"{use.codes[0]} frames counted; {use.bits_per_second:.0f} bit/s by entropy."]
    if summary.failures:
        lines += ["", "## Flags and failures", ""]
        head = ["recording", "system", "setting", "flag", "what"]
        failures = [
            list(map(markdown, (f.key, f.system, f.setting, f.flag, f.error)))
            for f in summary.failures
        ]
        lines.append(markdown_table([head, *failures]))
    return "\n".join(lines) + "\n"


def summary_facts(summary: Summary) -> list[tuple[str, str]]:
    """What the summary is of, as pairs for people."""
    source = summary.provenance
    versions = ", ".join(f"{name} {version}" for name, version in source["versions"].items())
    machine = source["machine"]
    flags = ", ".join(f"{count} {name}" for name, count in sorted(summary.flags.items()))
    return [
        ("data", readable(summary.settings["data"])),
        ("recordings", f"{summary.recordings} ({flags or 'none flagged'})"),
        *(("weights", text) for text in _weights(summary)),
        *(("left out", f"{name}: {reason}") for name, reason in summary.left_out.items()),
        ("command", source["command"]),
        ("date", source["date"]),
        ("versions", versions),
        ("machine", f"{machine['processor']}, {machine['cores']} cores"),
        ("processes", f"{machine['workers']} with {machine['threads'] or 'default'} threads"),
    ]


def _weights(summary: Summary) -> list[str]:
    """By system the hash that `catok info` gives, and where that is of codebooks alone, of all."""
    texts = []
    for name, value in summary.weights.items():
        space = summary.code_spaces.get(name)
        texts.append(
            f"{name} {space} (encoder and decoder too: {value})" if space else f"{name} {value}"
        )
    return texts


def _table(summary: Summary, groups: Sequence[ResultGroup]) -> str:
    columns = shown_columns(summary.columns, groups)
    best = best_cells(groups, columns)
    head = ["system", "setting", "kbit/s", "files", "failed"]
    rows = [[*head, *map(column_title, columns), "RTF encode", "RTF decode"]]
    for group in groups:
        place = group.system, group.setting
        row = [*map(markdown, place), format_significant(group.kbps)]
        row += [str(group.files), str(group.failed)]
        for column in columns:
            estimate = group.figures[column.name]
            ends = format_interval(estimate, column.digits)
            shown = format_number(estimate.mean, column.digits)
            shown = f"**{shown}**" if (*place, column.name) in best else shown
            row.append(shown + (f" ({ends})" if ends else ""))
        rtf = (group.encode_rtf, group.decode_rtf) if group.kind != "original" else (None, None)
        rows.append([*row, *map(format_significant, rtf)])
    return markdown_table(rows)


def _readable(value: Any) -> Any:
    return readable(value) if isinstance(value, str) else value


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8", errors="backslashreplace")

"""The probes' table and curves.

    python -m research.tiny.curves --runs RUNS --out research/results

Joins RUNS/*/rows.jsonl with the rows that OUT/tiny-probes.jsonl has already (a probe that was begun
anew replaces its old rows), and writes tiny-probes.jsonl, .md and .png. The slope is what doubling
the time brought between a quarter and three quarters of the budget, at a constant learning rate.
Other codecs stand beside it: what `reference.py` wrote to OUT/tiny-probes-others.jsonl.
"""

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from research.study import markdown
from research.tiny.probes import PROBES

FIGURES = ("stoi", "pesq_wb", "pesq_nb")
TITLES = {"stoi": "STOI", "pesq_wb": "PESQ-WB", "pesq_nb": "PESQ-NB"}
DIGITS = {"stoi": 3, "pesq_wb": 2, "pesq_nb": 2}

Rows = list[dict[str, Any]]


def read_rows(runs: Path, known: Path) -> dict[str, Rows]:
    """Rows by probe, in the order of the list."""
    found: dict[str, Rows] = {}
    if known.is_file():  # of runs that are no longer on the disk
        for line in known.read_text("utf-8").splitlines():
            row = json.loads(line)
            found.setdefault(row["probe"], []).append(row)
    for file in runs.glob("*/rows.jsonl"):
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        if rows:
            found[rows[0]["probe"]] = rows
    order = [*PROBES, *sorted(set(found) - set(PROBES))]
    return {name: found[name] for name in order if name in found}


def slope(rows: Rows, depth: str, figure: str, minutes: float) -> float | None:
    """What doubling the time brought, from a quarter to three quarters of `minutes`."""
    ends = [
        next((r for r in rows if abs(r["minutes"] / minutes - share) < 0.02), None)
        for share in (0.25, 0.75)
    ]
    if ends[0] is None or ends[1] is None:
        return None
    gained = ends[1]["scores"][depth][figure] - ends[0]["scores"][depth][figure]
    return gained / math.log2(ends[1]["minutes"] / ends[0]["minutes"])


def table(found: dict[str, Rows], minutes: float) -> str:
    """One line per probe: its last checkpoint, and the slopes."""
    head = ["probe", "asks", "M", "minutes", "hours heard", "codes in use"]
    for depth in ("32", "8"):
        head += [f"STOI, WB, NB at {depth}", f"slope at {depth}", f"WER at {depth}"]
    lines: list[list[str]] = [head]
    for name, rows in found.items():
        last = rows[-1]
        line = [
            name,
            PROBES[name].asks if name in PROBES else "",
            f"{last['parameters'] / 1e6:.1f}",
        ]
        line += [
            f"{last['minutes']:.0f}",
            f"{last['audio_hours']:.0f}",
            f"{last['perplexity']:.0f}",
        ]
        for depth in ("32", "8"):
            scores = last["scores"][depth]
            line.append(" / ".join(f"{scores[f]:.{DIGITS[f]}f}" for f in FIGURES))
            slopes = [slope(rows, depth, f, minutes) for f in FIGURES]
            shown = [
                f"{s:+.{DIGITS[f]}f}" for s, f in zip(slopes, FIGURES, strict=True) if s is not None
            ]
            line.append(" / ".join(shown) or "-")
            line.append(f"{scores['wer']:.0f} %" if "wer" in scores else "-")
        lines.append(line)
    return markdown(lines)


def others_table(others: Rows) -> str:
    """One line per codec and setting."""
    lines = [["codec", "setting", "STOI, WB, NB", "WER", "mel distance of speech, music, effects"]]
    for row in others:
        line = [row["system"], row["setting"]]
        line.append(" / ".join(f"{row[f]:.{DIGITS[f]}f}" for f in FIGURES))
        line.append(f"{row['wer']:.0f} %")
        line.append(" / ".join(f"{row[f'mel_{d}']:.2f}" for d in ("speech", "music", "sound")))
        lines.append(line)
    return markdown(lines)


def draw(found: dict[str, Rows], others: Rows, path: Path) -> None:
    """Every figure over minutes, on a logarithmic axis; other codecs as level lines."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 3, figsize=(15, 8), sharex=True)
    for line, depth in enumerate(("32", "8")):
        for column, name in enumerate(FIGURES):
            axis = axes[line][column]
            for number, (probe, rows) in enumerate(found.items()):
                style = ("-", "--", ":", "-.")[number // 10 % 4]
                points = [(r["minutes"], r["scores"][depth][name]) for r in rows]
                axis.plot(*zip(*points, strict=True), style, marker="o", ms=3, label=probe)
            for other in others:
                where = "8" if other["setting"] in ("1200", "1 kbps") else "32"
                if other["system"] != "original" and where == depth:
                    axis.axhline(other[name], color="grey", lw=0.8)
                    label = f"{other['system']} {other['setting']}"
                    axis.annotate(label, (0.01, other[name]), xycoords=("axes fraction", "data"))
            axis.set_title(f"{TITLES[name]}, {depth} codebooks")
            axis.set_xscale("log", base=2)
            axis.xaxis.set_major_formatter("{x:g}")
            axis.grid(alpha=0.3)
            if line:
                axis.set_xlabel("core-minutes")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper")
    figure.subplots_adjust(left=0.05, right=0.87, top=0.95, bottom=0.07)
    figure.savefig(path, dpi=80)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, required=True, help="OUT of probe.py")
    parser.add_argument("--out", type=Path, default=Path("research/results"))
    parser.add_argument("--minutes", type=float, default=60.0, help="the budget of each")
    args = parser.parse_args(arguments)
    found = read_rows(args.runs, args.out / "tiny-probes.jsonl")
    text = "".join(json.dumps(row) + "\n" for rows in found.values() for row in rows)
    (args.out / "tiny-probes.jsonl").write_text(text, "utf-8")
    beside = args.out / "tiny-probes-others.jsonl"
    others = [json.loads(line) for line in beside.read_text("utf-8").splitlines()]
    tables = "# Probes of an hour\n\nHow they are made: [research/tiny](../tiny/README.md).\n\n"
    tables += table(found, args.minutes) + "\n![curves](tiny-probes.png)\n\n"
    tables += "Other codecs on the same recordings:\n\n" + others_table(others)
    (args.out / "tiny-probes.md").write_text(tables, "utf-8")
    draw(found, others, args.out / "tiny-probes.png")
    print(table(found, args.minutes))


if __name__ == "__main__":
    main()

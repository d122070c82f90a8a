"""Fits loss = a + b * N^-c to the points of `run.py`, per number of codebooks, and draws them.

    python -m research.scaling.fit runs/scaling/points.json

N is the number of parameters (at the largest batch) or of rows in a batch (at the largest width);
loss is the mel distance on unseen speech. Writes research/results/scaling.json,
scaling-parameters.png and scaling-batch.png. Four or five points barely determine three unknowns:
read the curves as a
summary of these points and do not extrapolate.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from research.study import markdown, write_json
from scipy.optimize import least_squares

RESULTS = Path(__file__).parents[1] / "results"
STEEPEST = 3.0  # exponents above it are no power law any more, but a step


@dataclass(frozen=True)
class PowerLaw:
    """loss = a + b * N^-c; `rms` is the root mean square of what it leaves over."""

    a: float
    b: float
    c: float
    rms: float

    def __call__(self, n: np.ndarray) -> np.ndarray:
        return self.a + self.b * n**-self.c


def fit(n: Sequence[float], loss: Sequence[float]) -> PowerLaw:
    """Least squares with a, b >= 0 and c from 0 to 3. Raises ValueError below three points."""
    sizes, values = np.asarray(n, float), np.asarray(loss, float)
    if len(sizes) < 3 or len(set(sizes)) < 3:
        raise ValueError(f"three unknowns need three sizes or more, got {sorted(set(sizes))}")
    unit = np.exp(np.log(sizes).mean())  # b then is of the size of the losses

    def left_over(x: np.ndarray) -> np.ndarray:
        return x[0] + x[1] * (sizes / unit) ** -x[2] - values

    span = max(float(np.ptp(values)), 1e-9)
    fits = [
        least_squares(
            left_over,
            [max(0.0, values.min() - span / start), span / start, start],
            bounds=([0, 0, 0], [np.inf, np.inf, STEEPEST]),
            x_scale=[1.0, span, 1.0],
            xtol=1e-14,
            ftol=1e-14,
            gtol=1e-14,
        )
        for start in (0.1, 0.3, 1.0)
    ]
    a, b, c = min(fits, key=lambda f: f.cost).x
    rms = float(np.sqrt(np.mean(left_over(np.array([a, b, c])) ** 2)))
    return PowerLaw(float(a), float(b * unit**c), float(c), rms)


def fits_by_depth(points: list[dict[str, Any]], size: str) -> dict[str, dict[str, Any]]:
    """Per number of codebooks the points along `size`, "parameters" or "batch", and their law."""
    other = "batch" if size == "parameters" else "width"
    largest = max(point[other] for point in points)
    line = sorted((p for p in points if p[other] == largest), key=lambda p: p[size])
    sizes = [point[size] for point in line]
    found = {}
    for depth in line[0]["mean"]:
        losses = [point["mean"][depth]["mel"] for point in line]
        law = asdict(fit(sizes, losses)) if len(set(sizes)) >= 3 else None
        found[depth] = {size: sizes, "mel": losses, "law": law}
    return found


def draw(found: dict[str, dict[str, Any]], size: str, label: str, path: Path) -> None:
    """Points and curves, one colour per number of codebooks."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4))
    for index, (depth, line) in enumerate(found.items()):
        colour = f"C{index}"
        axes.plot(line[size], line["mel"], "o", color=colour, label=f"{depth} codebooks")
        if line["law"]:
            curve = np.geomspace(min(line[size]), max(line[size]), 100)
            axes.plot(curve, PowerLaw(**line["law"])(curve), color=colour)
    axes.set_xscale("log")
    axes.set_xlabel(label)
    axes.set_ylabel("mel distance on unseen speech")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def table(found: dict[str, dict[str, Any]], size: str) -> str:
    """One line per number of codebooks: the losses, and the law."""
    sizes = next(iter(found.values()))[size]
    rows: list[list[str]] = [["codebooks", *(f"{s:,}" for s in sizes), "a", "b", "c", "rms"]]
    for depth, line in found.items():
        law = line["law"] or {}
        numbers = [f"{law[k]:.3g}" if law else "-" for k in ("a", "b", "c", "rms")]
        rows.append([depth, *(f"{loss:.3f}" for loss in line["mel"]), *numbers])
    return markdown(rows)


def main(arguments: list[str] | None = None) -> None:
    """Fit, print, draw, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("points", help="points.json of run.py")
    parser.add_argument("--out", default=str(RESULTS), help="folder (%(default)s)")
    args = parser.parse_args(arguments)
    points = json.loads(Path(args.points).read_text())
    out = Path(args.out)
    labels = {"parameters": "parameters of encoder and decoder", "batch": "rows per step"}
    results = {}
    for size, label in labels.items():
        results[size] = fits_by_depth(points, size)
        draw(results[size], size, label, out / f"scaling-{size}.png")
        print(f"by {label}:\n\n{table(results[size], size)}")
    write_json(out / "scaling.json", {"fits": results, "points": points})


if __name__ == "__main__":
    main()

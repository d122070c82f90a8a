"""A picture of how long the recordings of a folder are."""

from pathlib import Path

import numpy as np

from catok.corpus.stats import TokenStats
from catok.io.files import replacing


def save_histogram(stats: TokenStats, path: str | Path) -> None:
    """Write a histogram of durations, on a logarithmic axis, as PNG."""
    from matplotlib.figure import Figure

    seconds = stats.seconds[stats.seconds > 0]
    low, high = (seconds.min(), seconds.max()) if len(seconds) else (1.0, 10.0)
    bins = np.geomspace(low, max(high, low * 1.01), 40)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.hist(seconds, bins=bins.tolist(), color="#4455aa")
    axes.set_xscale("log")
    axes.set_xlabel("seconds")
    axes.set_ylabel("recordings")
    axes.set_title(f"{stats.rows} recordings, {stats.hours:.2f} h")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)

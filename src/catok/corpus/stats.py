"""What a folder of token shards holds, in figures."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catok.corpus.ledger import TokenFolder
from catok.corpus.token_row import CodeSpace
from catok.io.files import replacing


@dataclass(frozen=True)
class TokenStats:
    """Figures of a folder. `seconds` `[rows]`: durations. `perplexity` `[K]`: how many codes of
    each codebook are in use, as 2 to the entropy of their frequencies. `bytes`: of all shards.
    """

    space: CodeSpace
    rows: int
    failures: int
    silent: int
    clipped: int
    bytes: int
    seconds: np.ndarray
    perplexity: np.ndarray

    @property
    def hours(self) -> float:
        """Hours of audio."""
        return float(self.seconds.sum()) / 3600

    @property
    def bytes_per_hour(self) -> float:
        """Bytes of shards per hour of audio."""
        return self.bytes / self.hours if self.hours else float("nan")


def token_stats(path: str | Path) -> TokenStats:
    """Read all shards of a folder. Raises ValueError where it holds none or one is damaged."""
    folder = TokenFolder.open(path)
    space = folder.settings.space
    counts = np.zeros((space.num_quantizers, space.codebook_size), np.int64)
    seconds: list[float] = []
    failures, silent, clipped, size = 0, 0, 0, 0
    for index, entry in folder.entries():
        failures += len(entry.failures)
        silent, clipped = silent + entry.silent, clipped + entry.clipped
        size += folder.size(index)
        for row in folder.rows(index):
            seconds.append(row.samples / space.sample_rate)
            for book, codes in enumerate(row.codes.T):
                counts[book] += np.bincount(codes, minlength=space.codebook_size)
    return TokenStats(
        space,
        len(seconds),
        failures,
        silent,
        clipped,
        size,
        np.array(seconds),
        _perplexity(counts),
    )


def _perplexity(counts: np.ndarray) -> np.ndarray:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.exp2(-(shares * logs).sum(axis=1))


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

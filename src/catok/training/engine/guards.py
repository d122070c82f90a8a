"""NaN and infinity: keep the batch as evidence, skip the step, stop if it lasts."""

from collections.abc import Sequence
from pathlib import Path

from catok.training.engine.checkpoint import write_tensors


class NonFiniteGuard:
    """Counts steps in a row whose losses or gradients were not finite."""

    def __init__(self, folder: Path, limit: int, rank: int = 0, keep: int = 10) -> None:
        self.folder = folder
        self.limit = limit
        self.rank = rank
        self.keep = keep
        self.in_a_row = 0

    def reset(self) -> None:
        """The step was finite."""
        self.in_a_row = 0

    def skipped(self, step: int, batches: Sequence[object], metrics: dict[str, float]) -> None:
        """Save the batches of a bad step to bad/step-N-rank-R.pt (the first `keep` ones).

        Raises ValueError after `limit` of them in a row.
        """
        self.in_a_row += 1
        folder = self.folder / "bad"
        folder.mkdir(exist_ok=True)
        if len(list(folder.glob(f"*-rank-{self.rank}.pt"))) < self.keep:
            path = folder / f"step-{step}-rank-{self.rank}.pt"
            write_tensors(path, {"metrics": metrics, "batches": [vars(b) for b in batches]})
        if self.in_a_row >= self.limit:
            raise ValueError(
                f"{self.in_a_row} steps in a row had losses or gradients that are not finite, the "
                f"last at step {step}; the batches are in {folder}. Lower optimizer.learning_rate "
                "or look for broken recordings; the last checkpoint is from before them"
            )

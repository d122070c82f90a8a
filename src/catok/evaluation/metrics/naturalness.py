"""How natural the output sounds by itself, without the original: DNSMOS and UTMOS.

Neither hears words or the speaker. Only the output is scored: to know what the original would get,
score it as a system of its own.
"""

from pathlib import Path

import torch

from catok.evaluation.metrics.base import Column
from catok.evaluation.metrics.dnsmos import Dnsmos
from catok.evaluation.metrics.signals import METRIC_RATE, whole
from catok.evaluation.sample import Sample


class DnsmosMetric:
    """DNSMOS P.835 (overall, signal, background) and P.808, by the weights of speechmos."""

    speech_only = True
    columns = (
        Column("dnsmos_ovrl", "DNSMOS", digits=2),
        Column("dnsmos_sig", "DNSMOS signal", digits=2),
        Column("dnsmos_bak", "DNSMOS background", digits=2),
        Column("dnsmos_p808", "DNSMOS P.808", digits=2),
    )

    def __init__(self) -> None:
        self.model = Dnsmos()

    def __call__(self, sample: Sample) -> dict[str, float]:
        """Raises ValueError when the output is silent."""
        scores = self.model.scores(whole(sample.output, sample.sample_rate, "output"))
        return {f"dnsmos_{name}": value for name, value in scores.items()}


class UtmosMetric:
    """UTMOS (Saeki et al. 2022) from a TorchScript file called as `model(audio [1, T], rate)`.

    Weights are not packaged: script or trace a model once, where its code is installed, with
    `torch.jit.save`.
    """

    speech_only = True
    columns = (Column("utmos", "UTMOS", digits=2),)

    def __init__(self, path: str) -> None:
        """Raises ValueError when there is no such file or it is not TorchScript."""
        if not Path(path).is_file():
            raise ValueError(f"{path} is not a file: UTMOS needs a TorchScript file")
        try:
            self.model = torch.jit.load(path, map_location="cpu").eval()
        except RuntimeError as error:
            raise ValueError(f"{path} is not a TorchScript file: {error}") from error

    @torch.no_grad()
    def __call__(self, sample: Sample) -> dict[str, float]:
        """Raises ValueError when the output is silent, or the model refuses it."""
        samples = whole(sample.output, sample.sample_rate, "output")
        try:
            score = self.model(torch.from_numpy(samples)[None], METRIC_RATE)
        except RuntimeError as error:
            raise ValueError(f"UTMOS cannot score this output: {error}") from error
        return {"utmos": float(score)}

"""UTMOS (Saeki et al. 2022): predicted opinion of naturalness, with weights on request.

Only the output is scored, not the words or the speaker.
"""

from pathlib import Path

import torch

from catok.evaluation.metrics.base import Column
from catok.evaluation.preprocessing import METRIC_RATE, full_mono
from catok.evaluation.sample import Sample


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
        samples = full_mono(sample.output, sample.sample_rate, "output")
        try:
            score = self.model(torch.from_numpy(samples)[None], METRIC_RATE)
        except RuntimeError as error:
            raise ValueError(f"UTMOS cannot score this output: {error}") from error
        return {"utmos": float(score)}

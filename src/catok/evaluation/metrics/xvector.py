"""WavLM speaker verification models through transformers, by local folder or hub id.

Any `WavLMForXVector` will do, for example microsoft/wavlm-base-plus-sv. The paper uses WavLM-large
fine-tuned by UniSpeech (`wavlm_large_finetune.pth`, an ECAPA head), which transformers cannot load:
figures of other models compare systems with each other, not with the paper.
"""

from pathlib import Path

import numpy as np
import torch

from catok.evaluation.from_transformers import from_transformers
from catok.evaluation.metrics.signals import METRIC_RATE

SHORTEST = 0.5  # seconds; the layers over time need about 0.3 s


class WavLMEmbedder:
    """Embeds speakers; `name` is the folder or hub id."""

    def __init__(self, source: str) -> None:
        """A local folder never touches the network.

        Raises ValueError when transformers is missing or `source` holds no such model.
        """
        self.name = Path(source).name if Path(source).exists() else source
        advice = (
            "Give the folder or hub id of a model such as microsoft/wavlm-base-plus-sv, or "
            "resemblyzer, which needs no hub (docs/metrics.md)"
        )
        with from_transformers("a WavLM speaker model", source, advice) as load:
            kind = load("AutoConfig").model_type
            if kind != "wavlm":
                raise ValueError(f"it is a {kind} model")
            self.features = load("AutoFeatureExtractor")
            self.model = load("WavLMForXVector", dtype=torch.float32).eval()

    @torch.no_grad()
    def embed(self, samples: np.ndarray) -> np.ndarray:
        """`[T]` at 16 kHz -> `[D]` of length 1. Raises ValueError when shorter than 0.5 s."""
        if len(samples) < SHORTEST * METRIC_RATE:
            raise ValueError(
                f"{len(samples) / METRIC_RATE:.2f} s of audio, a speaker needs {SHORTEST} s"
            )
        inputs = self.features(samples, sampling_rate=METRIC_RATE, return_tensors="pt")
        found = self.model(**inputs).embeddings[0]
        return torch.nn.functional.normalize(found, dim=0).numpy()

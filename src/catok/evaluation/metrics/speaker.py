"""Speaker similarity: the cosine of two voices' embeddings (paper section 8.1, SIM).

Original and output are embedded whole, in mono at 16 kHz; for speech synthesis the original is the
prompt. Any `WavLMForXVector` of transformers will do, for example microsoft/wavlm-base-plus-sv. The
paper uses WavLM-large fine-tuned by UniSpeech (`wavlm_large_finetune.pth`, an ECAPA head), which
transformers cannot load: figures of other models compare systems with each other, not with the
paper.
"""

from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from catok.evaluation.extras import pretrained_loader
from catok.evaluation.metrics.base import Column, ReferenceCache
from catok.evaluation.preprocessing import METRIC_RATE, full_mono
from catok.evaluation.sample import Sample


class Embedder(Protocol):
    """Turns a voice into a vector; `name` goes into reports."""

    name: str

    def embed(self, samples: np.ndarray) -> np.ndarray:
        """`[T]` float32 at 16 kHz -> `[D]` of length 1.

        Raises ValueError when there is too little voice.
        """
        ...


DEFAULT_EMBEDDER = "microsoft/wavlm-base-plus-sv"
PACKAGED_EMBEDDER = "resemblyzer"


def build_embedder(source: str | None = None) -> Embedder:
    """A WavLM speaker model by folder or hub id (None: `DEFAULT_EMBEDDER`), or "resemblyzer", the
    voice encoder in the package of that name, for machines without the hub.

    Raises ValueError when it cannot be loaded.
    """
    if source == PACKAGED_EMBEDDER:
        from catok.evaluation.metrics.resemblyzer import ResemblyzerEmbedder

        return ResemblyzerEmbedder()
    from catok.evaluation.metrics.speaker import WavLMEmbedder

    return WavLMEmbedder(source or DEFAULT_EMBEDDER)


class SpeakerSimilarity:
    """From -1 to 1. The last originals' embeddings are kept, by their samples."""

    speech_only = True
    columns = (Column("sim", "SIM"),)

    def __init__(self, embedder: Embedder | None = None) -> None:
        self.embedder = embedder or build_embedder()
        self._references = ReferenceCache[np.ndarray]()

    def __call__(self, sample: Sample) -> dict[str, float]:
        """Raises ValueError, naming the signal, when one is silent or has too little voice."""
        original = self._references.get(
            sample.reference_sha1, lambda: self._embed(sample, "reference")
        )
        return {"sim": float(original @ self._embed(sample, "output"))}

    def _embed(self, sample: Sample, which: str) -> np.ndarray:
        samples = full_mono(getattr(sample, which), sample.sample_rate, which)
        try:
            return self.embedder.embed(samples)
        except ValueError as error:
            raise ValueError(f"{which}: {error}") from error


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
        with pretrained_loader("a WavLM speaker model", source, advice) as load:
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
        embedding = self.model(**inputs).embeddings[0]
        return torch.nn.functional.normalize(embedding, dim=0).numpy()

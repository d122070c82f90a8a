"""Speaker similarity: the cosine of two voices' embeddings (paper section 8.1, SIM).

Original and output are heard whole, in mono at 16 kHz; for speech synthesis the original is the
prompt.
"""

from typing import Protocol

import numpy as np

from catok.evaluation.metrics.base import Column
from catok.evaluation.metrics.signals import whole
from catok.evaluation.sample import Sample


class Embedder(Protocol):
    """Turns a voice into a vector; `name` goes into reports."""

    name: str

    def embed(self, samples: np.ndarray) -> np.ndarray:
        """`[T]` float32 at 16 kHz -> `[D]` of length 1.

        Raises ValueError when there is too little voice.
        """
        ...


def build_embedder(source: str | None = None) -> Embedder:
    """The packaged voice encoder, or a WavLM speaker model by folder or hub id.

    Raises ValueError when it cannot be loaded.
    """
    if source is None:
        from catok.evaluation.metrics.voice_encoder import VoiceEncoder

        return VoiceEncoder()
    from catok.evaluation.metrics.xvector import WavLMEmbedder

    return WavLMEmbedder(source)


class SpeakerSimilarity:
    """From -1 to 1. Embeddings of originals are kept under the sample's key."""

    speech_only = True
    columns = (Column("sim", "SIM"),)

    def __init__(self, embedder: Embedder | None = None) -> None:
        self.embedder = embedder or build_embedder()
        self._originals: dict[str, np.ndarray] = {}

    def __call__(self, sample: Sample) -> dict[str, float]:
        """Raises ValueError, naming the signal, when one is silent or has too little voice."""
        if sample.key not in self._originals:
            self._originals[sample.key] = self._embed(sample, "reference")
        return {"sim": float(self._originals[sample.key] @ self._embed(sample, "output"))}

    def _embed(self, sample: Sample, which: str) -> np.ndarray:
        samples = whole(getattr(sample, which), sample.sample_rate, which)
        try:
            return self.embedder.embed(samples)
        except ValueError as error:
            raise ValueError(f"{which}: {error}") from error

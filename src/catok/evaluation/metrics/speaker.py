"""Speaker similarity: the cosine of two voices' embeddings (paper section 8.1, SIM).

Original and output are heard whole, in mono at 16 kHz; for speech synthesis the original is the
prompt.
"""

from typing import Protocol

import numpy as np

from catok.evaluation.metrics.base import Column
from catok.evaluation.metrics.originals import Originals
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


DEFAULT = "microsoft/wavlm-base-plus-sv"
PACKAGED = "resemblyzer"


def build_embedder(source: str | None = None) -> Embedder:
    """A WavLM speaker model by folder or hub id (None: `DEFAULT`), or "resemblyzer", the voice
    encoder in the package of that name, for machines without the hub.

    Raises ValueError when it cannot be loaded.
    """
    if source == PACKAGED:
        from catok.evaluation.metrics.voice_encoder import VoiceEncoder

        return VoiceEncoder()
    from catok.evaluation.metrics.xvector import WavLMEmbedder

    return WavLMEmbedder(source or DEFAULT)


class SpeakerSimilarity:
    """From -1 to 1. The last originals' embeddings are kept, by their samples."""

    speech_only = True
    columns = (Column("sim", "SIM"),)

    def __init__(self, embedder: Embedder | None = None) -> None:
        self.embedder = embedder or build_embedder()
        self._originals = Originals[np.ndarray]()

    def __call__(self, sample: Sample) -> dict[str, float]:
        """Raises ValueError, naming the signal, when one is silent or has too little voice."""
        original = self._originals.get(
            sample.reference_sha1, lambda: self._embed(sample, "reference")
        )
        return {"sim": float(original @ self._embed(sample, "output"))}

    def _embed(self, sample: Sample, which: str) -> np.ndarray:
        samples = whole(getattr(sample, which), sample.sample_rate, which)
        try:
            return self.embedder.embed(samples)
        except ValueError as error:
            raise ValueError(f"{which}: {error}") from error

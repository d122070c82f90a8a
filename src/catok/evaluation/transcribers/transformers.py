"""Sequence-to-sequence recognisers of transformers: Whisper and its like."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from catok.data.languages import language_code
from catok.evaluation.extras import pretrained_loader
from catok.evaluation.preprocessing import METRIC_RATE, to_metric_rate

PIECE = 30 * METRIC_RATE  # Whisper's window in samples; longer recordings go piece by piece


class TransformersTranscriber:
    """Any `AutoModelForSpeechSeq2Seq` with its processor, greedy."""

    def __init__(self, source: str | Path) -> None:
        """`source`: a local folder, which never touches the network, or a hub id.

        Raises ValueError when transformers is missing or there is no such model.
        """
        self.name = Path(source).name if Path(source).exists() else str(source)
        advice = "Give the folder or hub id of a model such as openai/whisper-large-v3"
        with pretrained_loader("a speech recogniser", source, advice) as load:
            self.processor = load("AutoProcessor")
            self.model = load("AutoModelForSpeechSeq2Seq", dtype=torch.float32).eval()

    @torch.no_grad()
    def transcribe(
        self, audio: np.ndarray | Tensor, sample_rate: int, language: str | None = None
    ) -> str:
        """See `Transcriber`."""
        samples = to_metric_rate(audio, sample_rate)
        options = self._options(language_code(language))
        texts = []
        for first in range(0, len(samples), PIECE):
            piece = samples[first : first + PIECE]
            inputs = self.processor(piece, sampling_rate=METRIC_RATE, return_tensors="pt")
            written = self.model.generate(**inputs, do_sample=False, num_beams=1, **options)
            texts.append(self.processor.batch_decode(written, skip_special_tokens=True)[0].strip())
        return " ".join(texts).strip()

    def _options(self, language: str | None) -> dict[str, str]:
        """Language and task, for models that take them."""
        known = getattr(self.model.generation_config, "lang_to_id", None)
        if language is None or not known:
            return {}
        if f"<|{language}|>" not in known:
            raise ValueError(
                f"{self.name} does not know the language {language!r}: choose another ASR model"
            )
        return {"language": language, "task": "transcribe"}

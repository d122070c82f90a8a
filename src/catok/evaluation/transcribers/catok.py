"""The recogniser of this package, which reads tokens, as any other transcriber."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from catok.data.languages import language_code
from catok.evaluation.preprocessing import as_samples
from catok.lm.asr import DecodingConfig, Recognizer


class CatokTranscriber:
    """A `Recognizer`, with its usual settings unless others are given."""

    def __init__(self, name_or_path: str | Path, config: DecodingConfig | None = None) -> None:
        """Raises ValueError when there is no such model or transformers is missing."""
        self.recognizer = Recognizer.from_pretrained(name_or_path)
        self.config = config or DecodingConfig()
        self.name = f"catok {self.recognizer.name}"

    def transcribe(
        self, audio: np.ndarray | Tensor, sample_rate: int, language: str | None = None
    ) -> str:
        """See `Transcriber`. The model detects the language by itself."""
        known = {language_code(name) for name in self.recognizer.languages}
        code = language_code(language)
        if code is not None and known and code not in known:
            raise ValueError(
                f"{self.name} does not know the language {code!r}: choose another ASR model"
            )
        samples = torch.from_numpy(as_samples(audio))[None]
        return self.recognizer.transcribe(samples, sample_rate, self.config).text

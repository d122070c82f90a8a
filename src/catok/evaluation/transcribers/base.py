"""What every transcriber is: audio in, words out, the same words every time."""

from typing import Protocol

import numpy as np
from torch import Tensor


class Transcriber(Protocol):
    """A speech recogniser; `name` goes into reports."""

    name: str

    def transcribe(
        self, audio: np.ndarray | Tensor, sample_rate: int, language: str | None = None
    ) -> str:
        """Mono float samples `[T]` at `sample_rate` Hz -> what is said, as the model writes it.

        `language`: its code, such as "en"; None lets the model guess where it can. Raises
        ValueError for other audio, and for languages that the model does not know.
        """
        ...

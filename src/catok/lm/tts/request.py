"""What is to be spoken and how: one object from the caller to the prompt."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from catok.data.prompt_fields import PromptFields
from catok.io.numbers import check_number, check_whole_number
from catok.lm.sampler import check_seed
from catok.lm.sampling import SamplingConfig
from catok.lm.tts.text_splitting import length

MAX_SECONDS, LONGEST = 60.0, 3600.0
SHORTEST, SLOWEST = 2.0, 4.0  # seconds for any text, and letters a second: nobody is slower
LETTERS_PER_DIGIT = 4  # more than it takes itself

Mode = Literal["clone", "continuation", "both"]

Reference = Tensor | np.ndarray | tuple[Tensor | np.ndarray, int] | str | Path
"""Audio `[C, T]` float32 at the tokenizer's rate, audio and its rate in Hz, an audio file, or
codes `[K, F]` int64."""


@dataclass(frozen=True, eq=False)
class SpeechRequest(PromptFields):
    """One utterance. Raises ValueError on numbers out of range.

    `reference`: a recording of the voice, with its transcript `reference_text` if that is known;
    a list of several is one per speaker, whom the text calls [S1], [S2] and so on. `mode` "clone":
    the reference is given beside the text. "continuation": it begins the answer, and its transcript
    the text. "both": it does both. None: continuation with a transcript, clone without.

    `num_quantizers` K: only the first K codebooks are read, chosen and decoded; None is the model's
    default, as for `sampling`. The result depends on the `seed` alone, not on other requests made
    with it (but for rounding); None draws one. `max_seconds`: where speech that does not end is cut
    off; None takes what the text can last at 4 letters a second, or a minute where `PromptFields`
    say how to speak. `verbalize`: numbers and abbreviations of an English text are written out
    (`verbalization.py`); None does so where the model has read English without digits.
    """

    text: str
    reference: Reference | list[Reference | None] | None = None
    reference_text: str | None = None
    mode: Mode | None = None
    num_quantizers: int | None = None
    sampling: SamplingConfig | None = None
    seed: int | None = None
    max_seconds: float | None = None
    verbalize: bool | None = None

    __eq__, __hash__ = object.__eq__, object.__hash__  # type: ignore - recordings are not compared

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode not in (None, "clone", "continuation", "both"):
            raise ValueError(f'mode must be "clone", "continuation" or "both", got {self.mode!r}')
        if self.num_quantizers is not None:
            check_whole_number("num_quantizers", self.num_quantizers, at_least=1)
        if self.seed is not None:
            check_seed(self.seed)
        if self.max_seconds is not None:
            check_number("max_seconds", self.max_seconds, above=0, at_most=LONGEST)

    @property
    def most_seconds(self) -> float:
        """`max_seconds`, or what the text can last."""
        if self.max_seconds is not None:
            return self.max_seconds
        if self.own_fields().keys() - {"language"}:
            return MAX_SECONDS
        digits = sum(c.isdecimal() for c in self.text)
        letters = length(self.text) + LETTERS_PER_DIGIT * digits
        return min(MAX_SECONDS, SHORTEST + letters / SLOWEST)

    @property
    def clones_only(self) -> bool:
        """Whether the reference is given beside the text and not continued."""
        return self.mode == "clone" or (
            self.mode is None and not (self.reference_text or "").strip()
        )

    @property
    def references(self) -> list[Reference | None]:
        """One for each speaker; none at all without a reference."""
        if self.reference is None:
            return []
        return self.reference if isinstance(self.reference, list) else [self.reference]


def as_request(request: SpeechRequest | str) -> SpeechRequest:
    """A bare text is a request for it. Raises ValueError on anything else."""
    if isinstance(request, str):
        return SpeechRequest(request)
    if not isinstance(request, SpeechRequest):
        raise ValueError(f"a request is a text or a SpeechRequest, got {type(request).__name__}")
    return request

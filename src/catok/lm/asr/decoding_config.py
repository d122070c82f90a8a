"""How a recording becomes text."""

from dataclasses import dataclass
from typing import Literal

from catok.io.numbers import check_number, check_whole_number

MAX_SECONDS = 3600.0  # recognised in one piece: all of its frames are in memory at once
Method = Literal["beam", "greedy", "ctc"]


@dataclass(frozen=True)
class DecodingConfig:
    """Settings of recognition; times are in seconds.

    `method`: "beam" keeps the `beam` best texts, "greedy" the likeliest token at each step, "ctc"
    the likeliest path of the CTC head, without the language model's text channel. Beam search ranks
    texts by score / tokens ** `length_power`; where there is a CTC head, its prefix score counts
    `ctc_weight` of the whole. `timestamps` asks for the times of words, by the CTC head.
    `num_quantizers`: codebooks read, None for the model's own choice. A text has at most
    16 + `tokens_per_second` tokens per second. Recordings above `max_seconds`, which is at most an
    hour, are cut where the last `pause_window` seconds before that are quietest. `batch` pieces are
    recognised at once: memory grows with it and with `beam`, not with the recording.
    `no_speech_threshold`: a piece of which the CTC head is less sure has no words (`speech.py`); 0
    is off, None the model's own.
    """

    method: Method = "beam"
    beam: int = 4
    length_power: float = 0.6
    ctc_weight: float = 0.3
    timestamps: bool = False
    num_quantizers: int | None = None
    tokens_per_second: float = 40.0
    max_seconds: float = 30.0
    pause_window: float = 5.0
    batch: int = 4
    no_speech_threshold: float | None = None

    def __post_init__(self) -> None:
        if self.method not in ("beam", "greedy", "ctc"):
            raise ValueError(f'method must be "beam", "greedy" or "ctc", got {self.method!r}')
        for name in ("beam", "batch"):
            check_whole_number(name, getattr(self, name), at_least=1)
        if self.num_quantizers is not None:
            check_whole_number("num_quantizers", self.num_quantizers, at_least=1)
        for name in ("max_seconds", "pause_window"):
            check_number(name, getattr(self, name), above=0, at_most=MAX_SECONDS)
        check_number("tokens_per_second", self.tokens_per_second, above=0, at_most=1000)
        check_number("ctc_weight", self.ctc_weight, at_least=0, at_most=1)
        if self.no_speech_threshold is not None:
            check_number("no_speech_threshold", self.no_speech_threshold, at_least=0, at_most=1)
        check_number("length_power", self.length_power, at_least=0)

    def max_tokens(self, frames: int, frame_rate: float) -> int:
        """The length limit of the text of so many frames."""
        return 16 + round(self.tokens_per_second * frames / frame_rate)

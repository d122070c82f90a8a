"""From logits to probabilities: penalty, temperature, top-k, top-p.

Source: `docs/spec/tts-layout.md` (e).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from catok.io.numbers import check_number, check_whole_number


@dataclass(frozen=True)
class SamplingConfig:
    """How tokens are chosen; defaults are the published ones of the released model.

    A temperature of 0 or less takes the likeliest token, without any processing. `top_k` 0 and
    `top_p` 1 keep everything. The repetition penalty is for audio only. `restrict_text` lets the
    text channel choose between "one more frame" and "end" alone. `guidance` above 1 moves codes
    away from what would be said without the text, see `guidance.py`; 1 asks for none.
    """

    text_temperature: float = 1.5
    text_top_k: int = 50
    text_top_p: float = 1.0
    audio_temperature: float = 1.0
    audio_top_k: int = 50
    audio_top_p: float = 0.95
    audio_repetition_penalty: float = 1.1
    restrict_text: bool = False
    guidance: float = 1.0

    def __post_init__(self) -> None:
        for channel in ("text", "audio"):
            temperature, top_k, top_p = (
                f"{channel}_{name}" for name in ("temperature", "top_k", "top_p")
            )
            check_number(temperature, getattr(self, temperature), at_most=100)
            if getattr(self, temperature) > 0:  # below, logits would overflow
                check_number(f"{temperature} (unless 0)", getattr(self, temperature), at_least=1e-3)
            check_whole_number(f"{top_k} (0: off)", getattr(self, top_k), at_least=0)
            check_number(top_p, getattr(self, top_p), above=0, at_most=1)
        penalty = self.audio_repetition_penalty
        check_number("audio_repetition_penalty", penalty, at_least=0.01, at_most=100)
        check_number("guidance (1: off)", self.guidance, at_least=0, at_most=100)

    @classmethod
    def greedy(cls, restrict_text: bool = False) -> "SamplingConfig":
        """The likeliest token in every channel."""
        return cls(text_temperature=0.0, audio_temperature=0.0, restrict_text=restrict_text)


def penalize(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make the `seen` `[N, V]` bool entries less likely: negative times, others over `penalty`."""
    changed = torch.where(logits < 0, logits * penalty, logits / penalty)
    return torch.where(seen, changed, logits)


def probabilities(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    """Logits `[N, V]` -> probabilities `[N, V]` float32; temperature above 0.

    Top-k keeps the k largest (ties with the last included). Top-p then keeps, from the largest
    down, each token before which less than `top_p` has been kept: the best always stays.
    """
    logits = logits.float() / temperature
    if 0 < top_k < logits.shape[-1]:
        smallest = logits.topk(top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < smallest, float("-inf"))
    if top_p < 1:
        ordered, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(dim=-1) - ordered
        dropped = before >= top_p
        logits = logits.masked_fill(dropped.gather(1, order.argsort(dim=-1)), float("-inf"))
    return logits.softmax(dim=-1)


def draw(chances: Tensor, uniform: Tensor) -> Tensor:
    """One token per row of probabilities `[N, V]`, by uniform numbers `[N]` in [0, 1): `[N]` int64.

    The inverse of the cumulative distribution; a token of probability 0 is never drawn.
    """
    total = chances.cumsum(dim=-1)
    passed = (total > uniform[:, None] * total[:, -1:]) & (chances > 0)
    first = passed.to(torch.uint8).argmax(dim=-1)
    return torch.where(passed.any(dim=-1), first, chances.argmax(dim=-1))

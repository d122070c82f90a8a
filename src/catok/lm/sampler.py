"""Choosing tokens with a random stream for each row, so that rows know nothing of each other."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Protocol

import torch
from torch import Tensor

from catok.lm.config import TokenLMConfig
from catok.lm.sampling import SamplingConfig, draw, penalize, probabilities

SEEDS = 2**63  # seeds are whole numbers below this


def check_seed(seed: int) -> int:
    """The seed. Raises ValueError on what is none."""
    if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= seed < SEEDS:
        raise ValueError(f"a seed must be a whole number from 0 to 2**63 - 1, got {seed!r}")
    return int(seed)


def draw_seeds(count: int) -> list[int]:
    """New seeds, from PyTorch's global generator."""
    return torch.randint(2**62, (count,), device="cpu").tolist()


class TokenSampler(Protocol):
    """What `TokenLM.sample_frame` asks."""

    def start_frame(self, channels: int) -> None:
        """A frame of so many channels begins."""
        ...

    def choose(self, channel: int, logits: Tensor, seen: Tensor | None) -> Tensor:
        """Tokens `[N]` by logits `[N, V]`; `seen` `[N, V]` bool: what the channel has held."""
        ...


class Sampler:
    """The usual `TokenSampler`: `SamplingConfig` and one seed per row.

    Random numbers come from the CPU, one per row and channel, so that a seed gives the same stream
    on every device and in every batch.
    """

    def __init__(
        self, sampling: SamplingConfig, config: TokenLMConfig, seeds: Sequence[int]
    ) -> None:
        self.sampling = sampling
        self._generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        self._uniform = torch.empty(len(seeds), 0, dtype=torch.float32, device="cpu")
        self._slots = [config.audio_assistant_gen_slot_token_id, config.audio_end_token_id]

    def start_frame(self, channels: int) -> None:
        """Draw the frame's random numbers."""
        kind: Any = {"dtype": torch.float32, "device": "cpu"}
        drawn = [torch.rand(channels, generator=each, **kind) for each in self._generators]
        self._uniform = torch.stack(drawn)

    def select(self, rows: Sequence[int]) -> None:
        """Keep some rows only."""
        self._generators = [self._generators[row] for row in rows]

    def choose(self, channel: int, logits: Tensor, seen: Tensor | None) -> Tensor:
        """As `TokenSampler.choose`."""
        how = self.sampling
        if channel == 0:
            settings = how.text_temperature, how.text_top_k, how.text_top_p
            if how.restrict_text:
                allowed = logits[:, self._slots]
                logits = torch.full_like(logits, float("-inf"))
                logits[:, self._slots] = allowed
        else:
            settings = how.audio_temperature, how.audio_top_k, how.audio_top_p
        if settings[0] <= 0:
            return logits.argmax(dim=-1)
        if seen is not None:
            logits = penalize(logits, seen, how.audio_repetition_penalty)
        uniform = self._uniform[:, channel].to(logits.device)
        return draw(probabilities(logits, *settings), uniform)

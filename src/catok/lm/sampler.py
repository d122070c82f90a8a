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
        return choose(self.sampling, self._slots, channel, logits, seen, self._uniform[:, channel])


class RowSampler:
    """A `TokenSampler` for rows that come and go, each with a `SamplingConfig` and seed of its own.

    What a row gets is what `Sampler` gives it.
    """

    def __init__(self, config: TokenLMConfig) -> None:
        self._rows: list[tuple[SamplingConfig, torch.Generator]] = []
        self._groups: list[tuple[SamplingConfig, Tensor]] = []
        self._uniform = torch.empty(0, 0, dtype=torch.float32, device="cpu")
        self._slots = [config.audio_assistant_gen_slot_token_id, config.audio_end_token_id]

    def add(self, sampling: SamplingConfig, seed: int) -> None:
        """One row more, after the others."""
        self._rows.append((sampling, torch.Generator("cpu").manual_seed(seed)))
        self._group()

    def select(self, rows: Sequence[int]) -> None:
        """Keep some rows only."""
        self._rows = [self._rows[row] for row in rows]
        self._group()

    def start_frame(self, channels: int) -> None:
        """Draw the frame's random numbers."""
        kind: Any = {"dtype": torch.float32, "device": "cpu"}
        drawn = [torch.rand(channels, generator=each, **kind) for _, each in self._rows]
        self._uniform = torch.stack(drawn)

    def choose(self, channel: int, logits: Tensor, seen: Tensor | None) -> Tensor:
        """As `TokenSampler.choose`."""
        uniform = self._uniform[:, channel]
        if len(self._groups) == 1:
            return choose(self._groups[0][0], self._slots, channel, logits, seen, uniform)
        chosen = torch.empty(len(logits), dtype=torch.int64, device=logits.device)
        for sampling, rows in self._groups:
            there = rows.to(logits.device)
            held = None if seen is None else seen[there]
            tokens = choose(sampling, self._slots, channel, logits[there], held, uniform[rows])
            chosen[there] = tokens
        return chosen

    def _group(self) -> None:
        """Rows that share their settings are chosen for together."""
        groups: dict[SamplingConfig, list[int]] = {}
        for row, (sampling, _) in enumerate(self._rows):
            groups.setdefault(sampling, []).append(row)
        self._groups = [(each, torch.tensor(rows, device="cpu")) for each, rows in groups.items()]


def choose(
    how: SamplingConfig,
    slots: list[int],
    channel: int,
    logits: Tensor,
    seen: Tensor | None,
    uniform: Tensor,
) -> Tensor:
    """Tokens `[N]` of a channel by logits `[N, V]` and uniform numbers `[N]`.

    `seen` `[N, V]` bool: what the channel has held; `slots`: the text tokens for one more frame and
    for the end.
    """
    if channel == 0:
        settings = how.text_temperature, how.text_top_k, how.text_top_p
        if how.restrict_text:
            allowed = logits[:, slots]
            logits = torch.full_like(logits, float("-inf"))
            logits[:, slots] = allowed
    else:
        settings = how.audio_temperature, how.audio_top_k, how.audio_top_p
    if settings[0] <= 0:
        return logits.argmax(dim=-1)
    if seen is not None:
        logits = penalize(logits, seen, how.audio_repetition_penalty)
    return draw(probabilities(logits, *settings), uniform.to(logits.device))

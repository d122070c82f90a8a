"""What every implementation of the token language model offers, whatever computes it.

`TokenLM` computes in PyTorch, `catok.export.OnnxTokenLM` in onnxruntime.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from catok.lm.config import TokenLMConfig
from catok.lm.depth_transformer import DepthState
from catok.lm.guidance import apply_guidance
from catok.lm.repetition_history import RepetitionHistory
from catok.lm.sampler import TokenSampler
from catok.lm.temporal_transformer import TemporalState


class BaseTokenLM(ABC):
    """Frames along time, channels inside each frame: what generation and recognition call."""

    config: TokenLMConfig

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where tokens are read and hidden states given."""

    @abstractmethod
    def temporal(
        self,
        tokens: Tensor,
        mask: Tensor | None = None,
        state: TemporalState | None = None,
        num_quantizers: int | None = None,
        keep_state: bool = True,
    ) -> tuple[Tensor, TemporalState | None]:
        """Hidden states `[B, T, D]` of tokens `[B, T, 1 + n_vq]` that follow `state`, and the state
        after them.

        `mask` `[B, T]` bool: what is not padding, which belongs on the left. `keep_state` False
        saves the memory of a state in training.
        """

    @abstractmethod
    def depth_step(
        self, channel: int, previous: Tensor, past: DepthState | None
    ) -> tuple[Tensor, DepthState]:
        """One channel of N frames: its logits, and the state that the next channel needs.

        `previous`: the hidden states `[N, D]` for channel 0, else the tokens `[N]` int64 that the
        channel before has chosen. The pad code of audio channels is masked: it is never chosen.
        """

    def text_logits(self, hidden: Tensor) -> Tensor:
        """Text logits `[N, V]` after hidden states `[N, D]`: all that speech recognition needs."""
        return self.depth_step(0, hidden, None)[0]

    @torch.no_grad()
    def sample_frame(
        self,
        hidden: Tensor,
        num_quantizers: int,
        sampler: TokenSampler,
        history: RepetitionHistory,
        guidance: float = 1.0,
    ) -> Tensor:
        """Choose the tokens after hidden states `[N, D]`: `[N, 1 + n_vq]`, 0 in channels above K.

        `history` is what each row has already held, for the repetition penalty; it is not changed.
        With `guidance` other than 1, `hidden` is `[2 N, D]`: N rows, then the same without text.
        Whether speech ends is left to the rows with it.
        """
        copies = 1 if guidance == 1 else 2
        count = len(hidden) // copies
        tokens = torch.zeros(count, self.config.channels, dtype=torch.int64, device=self.device)
        sampler.start_frame(1 + num_quantizers)
        previous, state = hidden, None
        for channel in range(1 + num_quantizers):
            logits, state = self.depth_step(channel, previous, state)
            if copies > 1:
                logits = apply_guidance(logits, guidance) if channel else logits[:count]
            seen = history.channel(channel) if channel else None
            tokens[:, channel] = sampler.choose(channel, logits, seen)
            previous = tokens[:, channel].repeat(copies)
        return tokens

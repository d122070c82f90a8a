"""Recordings through the language model, whole or as they come in, up to where it may answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from catok.lm.asr.ctc import CTCHead
from catok.lm.asr.prompt import ListeningPrompt
from catok.lm.asr.writing import TextState, TextWriter
from catok.lm.model import TokenLM
from catok.lm.prompt import Prompter
from catok.lm.rows import pad_rows
from catok.lm.temporal import TemporalState
from catok.lm.text import TextTokenizer


@dataclass(frozen=True)
class Heard:
    """Recordings that the model has heard to their end: what it may say, and per recording the
    hidden states `[F, D]` of its frames.
    """

    text: TextState
    hidden: tuple[Tensor, ...]

    @property
    def frames(self) -> list[int]:
        """Frames per recording."""
        return [len(each) for each in self.hidden]


class Listener:
    """A `TokenLM`, its text tokenizer and its CTC head, if it has one."""

    def __init__(self, model: TokenLM, text: TextTokenizer, head: CTCHead | None = None) -> None:
        """Raises ValueError when the head belongs to another model."""
        if head is not None and (head.vocab, head.width) != (
            model.config.vocab_size,
            model.config.width,
        ):
            raise ValueError(
                f"the CTC head is for {head.vocab} text ids and width {head.width}, the model has "
                f"{model.config.vocab_size} and {model.config.width}: fetch the whole folder again"
            )
        self.model, self.text, self.head = model, text, head
        self.prompt = ListeningPrompt(Prompter(model.config, text))

    @torch.no_grad()
    def hear(self, recordings: Sequence[Tensor], num_quantizers: int) -> Heard:
        """Codes `[K, F]` of each recording, of which the first `num_quantizers` are read."""
        before, after = self.prompt.opening, self.prompt.closing
        prompts = [torch.cat([before, self.prompt.frames(c), after]) for c in recordings]
        rows, mask = (each.to(self.model.device) for each in pad_rows(prompts, self.model.config))
        hidden, state = self.model.temporal(rows, mask, None, num_quantizers)
        assert state is not None
        last = hidden.shape[1] - len(after)
        frames = tuple(
            hidden[index, last - codes.shape[1] : last] for index, codes in enumerate(recordings)
        )
        return Heard(self.writer(num_quantizers).first(hidden[:, -1], state), frames)

    @torch.no_grad()
    def start(self, num_quantizers: int) -> TemporalState:
        """The state of a recording that has not begun."""
        _, state = self._run(self.prompt.opening, None, num_quantizers)
        return state

    @torch.no_grad()
    def go_on(
        self, codes: Tensor, state: TemporalState, num_quantizers: int
    ) -> tuple[Tensor, TemporalState]:
        """The next frames `[K, n]` of a recording: their hidden states `[n, D]`, new state."""
        return self._run(self.prompt.frames(codes), state, num_quantizers)

    @torch.no_grad()
    def stop(self, state: TemporalState, hidden: Tensor, num_quantizers: int) -> Heard:
        """The recording ends here; `hidden` `[F, D]` of all its frames. `state` stays valid."""
        after, state = self._run(self.prompt.closing, state, num_quantizers)
        return Heard(self.writer(num_quantizers).first(after[-1:], state), (hidden,))

    def writer(self, num_quantizers: int) -> TextWriter:
        """What writes the text of recordings that were heard with as many codebooks."""
        return TextWriter(self.model, num_quantizers)

    @torch.no_grad()
    def ctc(self, hidden: Tensor) -> Tensor:
        """CTC log-probabilities `[F * per_frame, V + 1]` of frames `[F, D]`.

        Raises ValueError when the model has no CTC head.
        """
        return self.need_head().log_probs(hidden[None])[0]

    def need_head(self) -> CTCHead:
        """The CTC head. Raises ValueError when the model has none."""
        if self.head is None:
            raise ValueError(
                'this model has no CTC head (ctc.safetensors): method "ctc" and timestamps need '
                "one, so use another method or model"
            )
        return self.head

    def _run(
        self, rows: Tensor, state: TemporalState | None, num_quantizers: int
    ) -> tuple[Tensor, TemporalState]:
        rows = rows[None].to(self.model.device)
        hidden, after = self.model.temporal(rows, None, state, num_quantizers)
        assert after is not None
        return hidden[0], after

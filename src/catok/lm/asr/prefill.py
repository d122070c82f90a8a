"""Recordings through the language model, whole or as they come in, up to where it may answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from catok.lm.asr.ctc import BaseCTCHead
from catok.lm.asr.text_decoder import DecoderState, TextDecoder
from catok.lm.interface import BaseTokenLM
from catok.lm.messages import Message
from catok.lm.prompt import PromptBuilder
from catok.lm.temporal_transformer import TemporalState
from catok.lm.text import TextTokenizer
from catok.lm.tokens import audio_tokens, pad_tokens


def request(codes: Tensor) -> Message:
    """What the user says: the recording `[n_vq, F]` and nothing else."""
    return Message("user", (codes,))


class RecognitionPrompt:
    """The prompt's rows in three parts, so that a recording can be read as it comes in.

    `opening` `[A, 1 + n_vq]` ends with audio_start; `closing` `[Z, 1 + n_vq]` begins with audio_end
    and ends with the assistant's header. With the frames between them they are the rows of
    `PromptBuilder.reply`.
    """

    def __init__(self, prompt_builder: PromptBuilder) -> None:
        self._config = config = prompt_builder.config
        empty = torch.empty(config.n_vq, 0, dtype=torch.int64, device="cpu")
        rows = prompt_builder.reply([request(empty)])
        end = int((rows[:, 0] == config.audio_end_token_id).nonzero()[0])
        self.opening, self.closing = rows[:end], rows[end:]

    def frames(self, codes: Tensor) -> Tensor:
        """Codes `[K, F]`, K at most n_vq -> rows `[F, 1 + n_vq]`; codebooks above K hold code 0.

        Raises ValueError on codes that do not fit the model.
        """
        missing = max(0, self._config.n_vq - len(codes))
        whole = torch.nn.functional.pad(codes, (0, 0, 0, missing))
        return audio_tokens(whole, self._config.audio_user_slot_token_id, self._config)[1:-1]


@dataclass(frozen=True)
class PrefilledBatch:
    """Prefilled prompts: the decoder state for the first text token, and per recording the
    hidden states `[F, D]` of its frames.
    """

    decoder_state: DecoderState
    hidden: tuple[Tensor, ...]

    @property
    def frames(self) -> list[int]:
        """Frames per recording."""
        return [len(each) for each in self.hidden]


class Prefiller:
    """A `TokenLM`, its text tokenizer and its CTC head, if it has one."""

    def __init__(
        self,
        model: BaseTokenLM,
        text: TextTokenizer,
        head: BaseCTCHead | None = None,
        no_speech_threshold: float = 0.0,
    ) -> None:
        """`no_speech_threshold`: see `DecodingConfig`, which may give another.

        Raises ValueError when the head belongs to another model.
        """
        if head is not None and (head.vocab, head.width) != (
            model.config.vocab_size,
            model.config.width,
        ):
            raise ValueError(
                f"the CTC head is for {head.vocab} text ids and width {head.width}, the model has "
                f"{model.config.vocab_size} and {model.config.width}: fetch the whole folder again"
            )
        self.model, self.text, self.head = model, text, head
        self.no_speech_threshold = no_speech_threshold
        self.prompt = RecognitionPrompt(PromptBuilder(model.config, text))

    @torch.no_grad()
    def prefill(self, recordings: Sequence[Tensor], num_quantizers: int) -> PrefilledBatch:
        """Codes `[K, F]` of each recording, of which the first `num_quantizers` are read."""
        before, after = self.prompt.opening, self.prompt.closing
        prompts = [torch.cat([before, self.prompt.frames(c), after]) for c in recordings]
        rows, mask = (each.to(self.model.device) for each in pad_tokens(prompts, self.model.config))
        hidden, state = self.model.temporal(rows, mask, None, num_quantizers)
        assert state is not None
        last = hidden.shape[1] - len(after)
        frames = tuple(
            hidden[index, last - codes.shape[1] : last] for index, codes in enumerate(recordings)
        )
        return PrefilledBatch(self.decoder(num_quantizers).first(hidden[:, -1], state), frames)

    @torch.no_grad()
    def begin(self, num_quantizers: int) -> TemporalState:
        """The state of a recording that has not begun."""
        _, state = self._run(self.prompt.opening, None, num_quantizers)
        return state

    @torch.no_grad()
    def extend(
        self, codes: Tensor, state: TemporalState, num_quantizers: int
    ) -> tuple[Tensor, TemporalState]:
        """The next frames `[K, n]` of a recording: their hidden states `[n, D]`, new state."""
        return self._run(self.prompt.frames(codes), state, num_quantizers)

    @torch.no_grad()
    def finish(self, state: TemporalState, hidden: Tensor, num_quantizers: int) -> PrefilledBatch:
        """The recording ends here; `hidden` `[F, D]` of all its frames. `state` stays valid."""
        after, state = self._run(self.prompt.closing, state, num_quantizers)
        return PrefilledBatch(self.decoder(num_quantizers).first(after[-1:], state), (hidden,))

    def decoder(self, num_quantizers: int) -> TextDecoder:
        """What writes the text of recordings that were read with as many codebooks."""
        return TextDecoder(self.model, num_quantizers)

    @torch.no_grad()
    def ctc(self, hidden: Tensor) -> Tensor:
        """CTC log-probabilities `[F * per_frame, V + 1]` of frames `[F, D]`.

        Raises ValueError when the model has no CTC head.
        """
        return self.need_head().log_probs(hidden[None])[0]

    def need_head(self) -> BaseCTCHead:
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

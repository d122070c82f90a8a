"""Conversations as tokens, for generation, continuation and training.

Source: `docs/spec/tts-layout.md` (d).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from catok.lm.config import TokenLMConfig
from catok.lm.messages import PLACEHOLDER, Message
from catok.lm.text import TextTokenizer
from catok.lm.tokens import audio_tokens, shifted_labels, text_tokens


class PromptBuilder:
    """Lays conversations out as tokens `[T, 1 + n_vq]` int64 for one model and its text tokenizer.

    Every method raises ValueError on text that spells a special token or the audio placeholder, and
    on recordings that do not fit the model.
    """

    def __init__(self, config: TokenLMConfig, text: TextTokenizer) -> None:
        self.config = config
        self.text = text
        self._slots = {
            "user": config.audio_user_slot_token_id,
            "assistant": config.audio_assistant_gen_slot_token_id,
        }

    def conversation(self, messages: Sequence[Message]) -> Tensor:
        """Everything, each message framed by its role and an end."""
        if not messages:
            raise ValueError("a conversation needs at least one message")
        return torch.cat([self._framed(message) for message in messages])

    def generation(self, messages: Sequence[Message]) -> Tensor:
        """A prompt for a new recording; the last message is the user's.

        It ends with audio_start: the next step is the first frame.
        """
        _check_last(messages, "user")
        return torch.cat([self.reply(messages), self._ids([self.config.audio_start_token_id])])

    def reply(self, messages: Sequence[Message]) -> Tensor:
        """A prompt for text, as recognition needs: it ends with the assistant's header."""
        _check_last(messages, "user")
        return torch.cat([self.conversation(messages), *self._header("assistant")])

    def continuation(self, messages: Sequence[Message]) -> Tensor:
        """A prompt to go on with a recording; the last message is the assistant's and ends with it.

        It ends with the recording's last frame. The recording's transcript belongs directly before
        the new text in the user's message.
        """
        _check_last(messages, "assistant")
        parts = messages[-1].merged()
        if not parts or isinstance(parts[-1], str):
            raise ValueError("the last message to continue must end with a recording")
        tokens = self.conversation(messages)
        end = tokens[:, 0] == self.config.audio_end_token_id
        return tokens[: int(end.nonzero()[-1])]

    def training(self, messages: Sequence[Message]) -> tuple[Tensor, Tensor]:
        """Input and labels `[T - 1, 1 + n_vq]`; the last message is the assistant's.

        Predicted are the tokens after its first audio_start, or after its header if it holds text
        only.
        """
        _check_last(messages, "assistant")
        tokens = self.conversation(messages)
        ids = tokens[:, 0]
        header = int((ids == self.config.im_start_token_id).nonzero()[-1])
        starts = (ids[header:] == self.config.audio_start_token_id).nonzero()
        if len(starts):
            first = header + int(starts[0])
        else:
            first = header + sum(len(part) for part in self._header("assistant")) - 1
        return shifted_labels(tokens, first, self.config)

    def _framed(self, message: Message) -> Tensor:
        blocks = self._header(message.role, *message.merged())
        end = [self.config.im_end_token_id, *self.text.encode("\n")]
        return torch.cat([*blocks, self._ids(end)])

    def _header(self, role: str, *parts: str | Tensor) -> list[Tensor]:
        """Start, role and content. A text that follows the role is encoded in one with it."""
        if role not in self._slots:
            raise ValueError(f'a role is "user" or "assistant", got {role!r}')
        opening = f"{role}\n"
        rest = list(parts)
        if rest and isinstance(rest[0], str):
            opening += str(rest.pop(0))
        blocks = [self._ids([self.config.im_start_token_id]), self._plain(opening)]
        for part in rest:
            if isinstance(part, str):
                blocks.append(self._plain(part))
            else:
                blocks.append(audio_tokens(part, self._slots[role], self.config))
        return blocks

    def _plain(self, text: str) -> Tensor:
        for special in (PLACEHOLDER, *self.text.special):
            if special in text:
                raise ValueError(
                    f"the text holds {special!r}, which stands for something else: remove it"
                )
        return self._ids(self.text.encode(text))

    def _ids(self, ids: Sequence[int]) -> Tensor:
        return text_tokens(ids, self.config)


def _check_last(messages: Sequence[Message], role: str) -> None:
    if not messages or messages[-1].role != role:
        last_role = messages[-1].role if messages else "nothing"
        raise ValueError(f"the conversation must end with the {role}'s message, not {last_role}")

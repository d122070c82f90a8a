"""A request as the language model is given it: plain, cloned, continued, or both.

The modes: `docs/spec/tts-layout.md` (d).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from catok.data.languages import space_between
from catok.lm.messages import assistant_message, user_message
from catok.lm.prompt import PromptBuilder
from catok.lm.sampling import SamplingConfig
from catok.lm.tts.request import SpeechRequest


@dataclass(frozen=True, eq=False)
class PromptTokens:
    """A prompt, `conditional` `[T, 1 + n_vq]`, and the codes `prefix` `[n_vq, F]` it ends with.

    F is 0 unless a recording is continued; the prefix's sound is not part of the result.
    `unconditional`: the same prompt with no text, for guidance.
    """

    conditional: Tensor
    prefix: Tensor
    unconditional: Tensor


@dataclass(frozen=True)
class GenerationSettings:
    """What requests must share to be generated together."""

    num_quantizers: int
    sampling: SamplingConfig


@dataclass(frozen=True, eq=False)
class SpeechPrompt:
    """A checked request, ready to be generated; `text`: the new words alone."""

    tokens: PromptTokens
    text: str
    settings: GenerationSettings
    max_frames: int
    seed: int


def build_prompt(
    prompt_builder: PromptBuilder, request: SpeechRequest, references: Sequence[Tensor | None] = ()
) -> PromptTokens:
    """Lay out a request whose reference is the codes `[n_vq, F]` int64, one for each speaker.

    Raises ValueError on an empty text, special tokens in it, a prompt longer than the model's
    positions, and what is missing.
    """
    text, mode = request.text, request.mode
    if not isinstance(text, str) or not text.strip():
        raise ValueError("there is no text to speak: give at least one word")
    transcript = request.reference_text
    if not transcript or not transcript.strip():
        transcript = None
    if not references and (transcript or mode):
        raise ValueError(
            f"{f'mode {mode!r}' if mode else 'a transcript'} needs the reference recording that it "
            "speaks of"
        )
    if mode is None and references:
        mode = "continuation" if transcript else "clone"
    cloned = list(references) if mode in ("clone", "both") else None
    continued = None
    if mode in ("continuation", "both"):
        if transcript is None:
            raise ValueError(
                f"mode {mode!r} needs the transcript of the reference: give reference_text"
            )
        if len(references) != 1 or references[0] is None:
            raise ValueError("only one recording can be continued: give one, or choose mode clone")
        continued = references[0]
        text = transcript + space_between(transcript, text) + text

    def tokens_of(text: str | None) -> Tensor:
        user = user_message(text, request, references=cloned)
        if continued is None:
            return prompt_builder.generation([user])
        return prompt_builder.continuation([user, assistant_message(continued)])

    tokens = tokens_of(text)
    prefix = torch.empty(prompt_builder.config.n_vq, 0, dtype=torch.int64, device="cpu")
    longest = prompt_builder.config.language_config.max_position_embeddings
    if len(tokens) >= longest:
        raise ValueError(
            f"text and reference take {len(tokens)} of the model's {longest} positions: shorten "
            "them"
        )
    return PromptTokens(tokens, prefix if continued is None else continued, tokens_of(None))


def by_settings(prompts: Sequence[SpeechPrompt]) -> list[list[int]]:
    """Numbers of the prompts that can be generated together, in the order of their first."""
    groups: dict[GenerationSettings, list[int]] = {}
    for number, prompt in enumerate(prompts):
        groups.setdefault(prompt.settings, []).append(number)
    return list(groups.values())

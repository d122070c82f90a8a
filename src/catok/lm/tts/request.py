"""An utterance as the language model is asked for it: plain, cloned, continued, or both.

Source: `docs/spec/tts-layout.md` (d), table of modes.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from catok.data.languages import space_between
from catok.lm.messages import assistant_message, user_message
from catok.lm.prompt import Prompter

Mode = Literal["clone", "continuation", "both"]


@dataclass(frozen=True, eq=False)
class Request:
    """A prompt, `rows` `[T, 1 + n_vq]`, and the codes `prefix` `[n_vq, F]` it ends with.

    F is 0 unless a recording is continued; the prefix's sound is not part of the result.
    `without_text`: the same prompt with no text, for guidance.
    """

    rows: Tensor
    prefix: Tensor
    without_text: Tensor


def build_request(
    prompter: Prompter,
    text: str,
    *,
    reference: Tensor | None = None,
    prompt_text: str | None = None,
    mode: Mode | None = None,
    language: str | None = None,
) -> Request:
    """Lay out one utterance; `reference` are codes `[n_vq, F]` int64.

    `mode` "clone": the reference stands in the user's message, its transcript `prompt_text` is not
    used. "continuation": the reference begins the answer and its transcript the text, with a space
    between where running text has one. "both": it does both. None: continuation with a transcript,
    clone without. Raises ValueError on an empty text, special tokens in it, a prompt longer than
    the model's positions, and what is missing.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError("there is no text to speak: give at least one word")
    if mode not in (None, "clone", "continuation", "both"):
        raise ValueError(f'mode must be "clone", "continuation" or "both", got {mode!r}')
    spoken = prompt_text if prompt_text and prompt_text.strip() else None
    if reference is None and (spoken or mode):
        raise ValueError(
            f"{f'mode {mode!r}' if mode else 'a transcript'} needs the reference recording that it "
            "speaks of"
        )
    if mode is None and reference is not None:
        mode = "continuation" if spoken else "clone"
    if mode in ("continuation", "both") and spoken is None:
        raise ValueError(f"mode {mode!r} needs the transcript of the reference: give prompt_text")
    cloned = [reference] if mode in ("clone", "both") else None
    continued = reference if mode in ("continuation", "both") else None
    if continued is not None and spoken is not None:
        text = spoken + space_between(spoken, text) + text

    def prompt(said: str | None) -> Tensor:
        user = user_message(said, references=cloned, language=language)
        if continued is None:
            return prompter.generation([user])
        return prompter.continuation([user, assistant_message(continued)])

    rows = prompt(text)
    prefix = torch.empty(prompter.config.n_vq, 0, dtype=torch.int64, device="cpu")
    longest = prompter.config.language_config.max_position_embeddings
    if len(rows) >= longest:
        raise ValueError(
            f"text and reference take {len(rows)} of the model's {longest} positions: shorten them"
        )
    return Request(rows, prefix if continued is None else continued, prompt(None))

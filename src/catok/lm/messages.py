"""What is said in a conversation: roles, text and recordings.

Source: `docs/spec/tts-layout.md` (d).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from catok.data.prompt_fields import PromptFields

Part = str | Tensor
PLACEHOLDER = "<|audio|>"  # upstream's mark for a recording in text; here recordings stand as such
MISSING = "None"


@dataclass(frozen=True, eq=False)
class Message:
    """Text and recordings (codes `[n_vq, F]` int64) in order."""

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]

    def merged(self) -> list[Part]:
        """The parts, neighbouring texts joined; recordings with only white space between them too.

        Never empty texts.
        """
        merged: list[Part] = []
        for part in self.parts:
            if isinstance(part, str) and merged and isinstance(merged[-1], str):
                merged[-1] += part
            elif not isinstance(part, str) or part:
                merged.append(part)
        parts: list[Part] = []
        for part in merged:
            gap = len(parts) > 1 and isinstance(parts[-1], str) and not parts[-1].strip()
            if isinstance(part, Tensor) and gap and isinstance(parts[-2], Tensor):
                parts.pop()
            if isinstance(part, Tensor) and parts and isinstance(before := parts[-1], Tensor):
                parts[-1] = _joined(before, part)
            else:
                parts.append(part)
        return parts


def user_message(
    text: str | None = None,
    fields: PromptFields | None = None,
    *,
    references: Sequence[Tensor | None] | None = None,
) -> Message:
    """A request to speak `text`.

    `references`: a recording per speaker, whose n-th is called `[Sn]` in the text; None leaves a
    number out.
    """
    parts: list[Part] = ["<user_inst>\n- Reference(s):\n"]
    if references is None:
        parts.append(MISSING)
    else:
        between = ""
        for number, codes in enumerate(references, start=1):
            if codes is not None:
                parts += [f"{between}[S{number}]:\n", codes]
                between = "\n"
    values = (fields or PromptFields()).prompt_lines() | {"Text": text}
    lines = [f"- {name}:\n{MISSING if v is None else v}\n" for name, v in values.items()]
    return Message("user", (*parts, "\n" + "".join(lines) + "</user_inst>"))


def assistant_message(*parts: Part) -> Message:
    """An answer: recordings, for recognition text."""
    return Message("assistant", parts)


def _joined(first: Tensor, second: Tensor) -> Tensor:
    if first.dim() != 2 or second.dim() != 2 or len(first) != len(second):
        raise ValueError(
            f"recordings of shapes {list(first.shape)} and {list(second.shape)} cannot be joined: "
            "both must be [n_vq, F]"
        )
    return torch.cat([first, second], dim=1)

"""The fixed wording of a synthesis request as single ids, for models that read bytes.

Spelt in bytes, the eight fields of a request without text are longer than most sentences (see
`messages.user_message`). A vocabulary with room for `PHRASES` after the bytes has one id for each;
nothing else changes, and the conversation stays that of the released layout.
"""

import re

_BLANK = "".join(
    f"\n- {name}:\nNone"
    for name in ("Instruction", "Tokens", "Quality", "Sound Event", "Ambient Sound")
)
_OPENING = "user\n<user_inst>\n- Reference(s):\n"

# their order is part of every model that was trained with them: only ever append
PHRASES = (
    _OPENING + "None",
    _OPENING + "[S1]:\n",
    _OPENING,
    _BLANK + "\n- Language:\n",
    "\n- Instruction:\n",
    "\n- Tokens:\n",
    "\n- Quality:\n",
    "\n- Sound Event:\n",
    "\n- Ambient Sound:\n",
    "\n- Language:\n",
    "\n- Text:\n",
    "\n</user_inst>",
    "user\n",
    "assistant\n",
)

_FOUND = re.compile("|".join(re.escape(phrase) for phrase in PHRASES))  # first in order wins


def split_phrases(text: str) -> list[str | int]:
    """The text in order, every phrase as its number in `PHRASES`; no empty pieces."""
    pieces: list[str | int] = []
    end = 0
    for match in _FOUND.finditer(text):
        if match.start() > end:
            pieces.append(text[end : match.start()])
        pieces.append(PHRASES.index(match.group()))
        end = match.end()
    return [*pieces, text[end:]] if end < len(text) else pieces

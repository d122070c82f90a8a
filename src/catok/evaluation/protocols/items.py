"""What a test list holds: recordings with their text, or texts to be spoken in a prompt's voice."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar


@dataclass(frozen=True)
class ASRItem:
    """A recording and what is said in it. `language`: its code, such as "en", where known.

    With an `offset` it is a part of the file: so many `seconds` from there, or all that follows.
    """

    id: str
    audio: Path
    text: str
    language: str | None = None
    offset: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class TTSItem:
    """A text to be spoken in the voice of a prompt.

    `prompt_audio` and `prompt_text`: the prompt and what is said in it. `target`: a recording of
    the prompt's speaker saying `text`, where the list has one.
    """

    id: str
    text: str
    language: str
    prompt_audio: Path
    prompt_text: str
    target: Path | None = None


Item = TypeVar("Item", ASRItem, TTSItem)


def check_items(items: Iterable[Item], where: Path) -> list[Item]:
    """The items as a list. Raises ValueError when there are none, or two of the same id."""
    listed = list(items)
    if not listed:
        raise ValueError(f"{where} lists no utterances: check the path")
    seen = set[str]()
    for item in listed:
        if item.id in seen:
            raise ValueError(f"{where} has two utterances {item.id}: give each its own id")
        seen.add(item.id)
    return listed

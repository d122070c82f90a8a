"""Several texts to speak, each with the voice and the language that belong to it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from torch import Tensor

from catok.lm.tts.reference import Reference

T = TypeVar("T")


class Line(NamedTuple):
    """One text; None stands for what it does not have."""

    text: str
    reference: Reference | None
    prompt_text: str | None
    language: str | None


def script(
    texts: Sequence[str],
    references: Sequence[Reference | None] | None,
    prompt_texts: Sequence[str | None] | None,
    language: str | Sequence[str | None] | None,
) -> list[Line]:
    """The texts with their entries of the lists; one `language` is that of all.

    Raises ValueError where a list has not one entry per text.
    """
    if isinstance(texts, str):
        raise ValueError("texts must be a list: put the one text in brackets")
    count = len(texts)
    voices = _one_each(references, count, "references")
    spoken = _one_each(prompt_texts, count, "prompt_texts")
    tags = [language] * count if isinstance(language, str) else language
    tags = _one_each(tags, count, "language")
    return [Line(*each) for each in zip(texts, voices, spoken, tags, strict=True)]


def _one_each(values: Sequence[T | None] | None, count: int, name: str) -> Sequence[T | None]:
    if values is None:
        return [None] * count
    if isinstance(values, str | Path | Tensor) or len(values) != count:
        raise ValueError(f"{name} must be a list with one entry for each of the {count} texts")
    return values

"""Errors of a transcript against a text, counted by the package jiwer (Levenshtein alignment)."""

from collections.abc import Sequence
from dataclasses import dataclass

from catok.evaluation.extras import extra


@dataclass(frozen=True)
class Errors:
    """Counts of words or characters; they add up over recordings: `sum(all, Errors())`."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    hits: int = 0

    @property
    def total(self) -> int:
        """All errors."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def reference(self) -> int:
        """Length of the text."""
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float:
        """Errors per word of the text; may exceed 1. Raises ValueError when the text is empty."""
        if self.reference == 0:
            raise ValueError("an empty text has no error rate: give the text that is spoken")
        return self.total / self.reference

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.hits + other.hits,
        )


def count_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> Errors:
    """Align two lists of words (or characters), none of which holds a space."""
    if not reference or not hypothesis:
        return Errors(deletions=len(reference), insertions=len(hypothesis))
    found = extra("jiwer").process_words(" ".join(reference), " ".join(hypothesis))
    return Errors(found.substitutions, found.deletions, found.insertions, found.hits)

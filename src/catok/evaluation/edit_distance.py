"""Errors of a transcript against a text, counted by the package jiwer (Levenshtein alignment)."""

from collections.abc import Sequence
from dataclasses import dataclass

from catok.evaluation.extras import import_extra


@dataclass(frozen=True)
class EditCounts:
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

    def __add__(self, other: "EditCounts") -> "EditCounts":
        return EditCounts(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.hits + other.hits,
        )


def count_edits(reference: Sequence[str], hypothesis: Sequence[str]) -> EditCounts:
    """Align two lists of words (or characters), none of which holds a space."""
    if not reference or not hypothesis:
        return EditCounts(deletions=len(reference), insertions=len(hypothesis))
    aligned = import_extra("jiwer").process_words(" ".join(reference), " ".join(hypothesis))
    return EditCounts(aligned.substitutions, aligned.deletions, aligned.insertions, aligned.hits)

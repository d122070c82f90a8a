"""One scored utterance: its text, what was recognised, and its figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from catok.evaluation.edit_distance import EditCounts, count_edits
from catok.evaluation.text_units import TextUnits, detect_language, is_scored_by_character

Measure = Literal["wer", "cer"]
Outcome = Literal["scored", "missing", "failed"]

FAILURES = (ValueError, RuntimeError, OSError)
"""What a file, a recogniser or a metric may raise without ending the run."""


@dataclass(frozen=True)
class UtteranceScore:
    """An utterance with its figures, or without them and with the reason.

    `measure`: errors are counted per word ("wer") or per character ("cer"). `length`: of the
    text, in words or characters. `hypothesis` and `errors`: what was recognised, and how that
    differs from `text`; None where the outcome is not "scored". `figures`: others, by name.
    `reason`: why it failed, or why figures are lacking. `audio_sha1`: of the audio files,
    where a run that may be resumed has noted it.
    """

    id: str
    language: str
    measure: Measure
    text: str
    length: int
    outcome: Outcome = "scored"
    reason: str | None = None
    hypothesis: str | None = None
    errors: EditCounts | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    audio_sha1: str | None = None

    @property
    def percent(self) -> float | None:
        """The error rate in per cent; above 100 with many insertions."""
        return None if self.errors is None else 100 * self.errors.rate

    def as_row(self) -> dict[str, Any]:
        """Plain values for tables, the error rate in per cent under the name of its measure."""
        errors = self.errors
        row = {
            "id": self.id,
            "language": self.language,
            "wer": self.percent if self.measure == "wer" else None,
            "cer": self.percent if self.measure == "cer" else None,
            "substitutions": None if errors is None else errors.substitutions,
            "deletions": None if errors is None else errors.deletions,
            "insertions": None if errors is None else errors.insertions,
            "length": self.length,
            **self.figures,
            "outcome": self.outcome,
            "reason": self.reason,
            "text": self.text,
            "hypothesis": self.hypothesis,
        }
        return row if self.audio_sha1 is None else row | {"audio_sha1": self.audio_sha1}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "UtteranceScore":
        """What `as_row` was called on. Raises KeyError where the row is none of those."""
        errors = None
        if row["substitutions"] is not None:
            wrong = (row["substitutions"], row["deletions"], row["insertions"])
            errors = EditCounts(*wrong, hits=row["length"] - wrong[0] - wrong[1])
        return cls(
            id=row["id"],
            language=row["language"],
            measure=_measure(row["language"]),
            text=row["text"],
            length=row["length"],
            outcome=row["outcome"],
            reason=row["reason"],
            hypothesis=row["hypothesis"],
            errors=errors,
            figures={name: value for name, value in row.items() if name not in _COLUMNS},
            audio_sha1=row.get("audio_sha1"),
        )

    @classmethod
    def pending(
        cls, name: str, text: str, stated: str | None, split: TextUnits
    ) -> "UtteranceScore":
        """An utterance of which only the text is known yet: "missing".

        `stated`: its language, if the list says it.
        """
        language = detect_language(text, stated)
        length = len(split(text, language))
        return cls(name, language, _measure(language), text, length, outcome="missing")

    def with_hypothesis(self, hypothesis: str, split: TextUnits) -> "UtteranceScore":
        """The utterance with what was recognised; "failed" where its text has no words."""
        row = replace(self, hypothesis=hypothesis)
        if row.length == 0:
            reason = "no words are left of the text: leave this utterance out"
            return replace(row, outcome="failed", reason=reason)
        errors = count_edits(split(row.text, row.language), split(hypothesis, row.language))
        return replace(row, outcome="scored", errors=errors)


def _measure(language: str) -> Measure:
    return "cer" if is_scored_by_character(language) else "wer"


_COLUMNS = {"audio_sha1", *UtteranceScore("", "", "wer", "", 0).as_row()}  # all that are no figures

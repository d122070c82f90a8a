"""What every metric is: columns it fills, and a call that scores one sample."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from catok.evaluation.sample import Sample


@dataclass(frozen=True)
class Column:
    """One figure of a table: its `name` in files, `title` for people, `unit` if any, which way is
    `better`, and how many `digits` mean something. Of `kind` "text" it is words, not a figure.
    """

    name: str
    title: str
    better: Literal["higher", "lower", "neither"] = "higher"
    unit: str = ""
    digits: int = 3
    kind: Literal["figure", "text"] = "figure"


class Metric(Protocol):
    """Scores samples one by one. Large models are loaded once, at construction.

    `speech_only`: it says nothing about music and effects, and is not asked about them.
    """

    columns: tuple[Column, ...]
    speech_only: bool

    def __call__(self, sample: Sample) -> Mapping[str, float | str]:
        """A figure, or text, by column's name. Raises ValueError that says why a sample has none.

        Columns left out have nothing to say of this sample, such as errors against a text that is
        not known.
        """
        ...

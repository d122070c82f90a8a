"""What every metric is: columns it fills, and a call that scores one sample."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from catok.evaluation.sample import Sample

T = TypeVar("T")
CACHE_SIZE = 256  # references


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


class ReferenceCache(Generic[T]):
    """Values computed from references alone, the last `CACHE_SIZE`: systems share a reference."""

    def __init__(self) -> None:
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The value of `key`, computed on first use. Nothing is stored where `compute` raises."""
        if key not in self._values:
            self._values[key] = compute()
            if len(self._values) > CACHE_SIZE:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]

"""What metrics work out of originals alone, kept while systems take their turns with each."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")
MOST = 256  # originals kept


class Originals(Generic[T]):
    """Values by what they were made of, the last `MOST` of them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, made_of: Hashable, make: Callable[[], T]) -> T:
        """The value of `made_of`, which `make` gives where it is not there. What it raises is
        raised, and nothing kept.
        """
        if made_of not in self._kept:
            self._kept[made_of] = make()
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)
        self._kept.move_to_end(made_of)
        return self._kept[made_of]

"""How far the work on recordings is, all of it on stderr."""

from collections.abc import Callable
from types import TracebackType

from tqdm import tqdm

from catok.cli import terminal

LONG_SECONDS = 10.0
_FORM = "{percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of audio [{elapsed}<{remaining}]"


class Progress:
    """Context with a bar in seconds of audio, if stderr is a terminal and the work is long.

    `total` is asked for the seconds of all the work only where a bar could be shown.
    """

    def __init__(self, total: Callable[[], float]) -> None:
        seconds = total() if terminal.has_bars() else 0.0
        self._bar: tqdm | None = None
        if seconds > LONG_SECONDS:
            self._bar = terminal.bar(seconds, bar_format=_FORM)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, seconds: float) -> None:
        """Another so many seconds of audio are done."""
        if self._bar is not None:
            self._bar.update(min(seconds, self._bar.total - self._bar.n))

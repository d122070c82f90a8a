"""What a command says while it works, all of it on stderr."""

import sys
from collections.abc import Callable
from types import TracebackType

from tqdm import tqdm

LONG_SECONDS = 10.0


class Progress:
    """Context with a bar in seconds of audio, if stderr is a terminal and the work is long.

    `total` is asked for the seconds of all the work only where a bar could be shown.
    """

    def __init__(self, total: Callable[[], float]) -> None:
        seconds = total() if sys.stderr.isatty() else 0.0
        self._bar = None
        if seconds > LONG_SECONDS:
            form = (
                "{percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of audio [{elapsed}<{remaining}]"
            )
            self._bar = tqdm(total=seconds, bar_format=form, file=sys.stderr)

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

    def say(self, line: str) -> None:
        """Print a line without harm to the bar."""
        if self._bar is None:
            print(line, file=sys.stderr)
        else:
            self._bar.write(line, file=sys.stderr)

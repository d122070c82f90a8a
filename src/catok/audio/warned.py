"""Recordings that were read although something is missing from them: warned of, and counted."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class AudioWarning(UserWarning):
    """A recording was read, but something is missing from it: the message says what."""


@contextmanager
def audio_warnings(tell: Callable[[str], None] = lambda line: None) -> Iterator[list[str]]:
    """Context in which messages of `AudioWarning` are listed instead of shown, each of them once.

    `tell` is called with each as it comes. Threads that run meanwhile are heard as well.
    """
    messages: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", AudioWarning)
        show_before = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if not issubclass(category, AudioWarning):
                show_before(message, category, *where)
            elif str(message) not in messages:
                messages.append(str(message))
                tell(str(message))

        warnings.showwarning = show
        yield messages

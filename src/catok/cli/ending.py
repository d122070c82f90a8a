"""Signals that end a command, so that it ends with its temporary files removed.

A handler in Python ends a command by an exception. libsndfile calls Python to read and write (the
functions `vio_...` of soundfile), and what is raised in there is lost: the signal would be
forgotten. So a signal that comes then is raised again, a moment later, until it comes elsewhere.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_CALLBACKS = "vio_"
_AGAIN = 0.01  # seconds


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Context in which SIGTERM and SIGHUP raise SystemExit, and Ctrl-C KeyboardInterrupt.

    Signals that somebody handles or ignores already are left alone; so are all of them outside the
    main thread.
    """
    before: dict[int, Any] = {}
    usual = {signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    usual[signal.SIGINT] = signal.default_int_handler  # type: ignore[assignment]
    if threading.current_thread() is threading.main_thread():
        before = {
            s: signal.getsignal(s) for s, default in usual.items() if signal.getsignal(s) == default
        }
        before[signal.SIGALRM] = signal.getsignal(signal.SIGALRM)
    for number in before:
        if number != signal.SIGALRM:
            signal.signal(number, _end)
    try:
        yield
    finally:
        if before:
            signal.setitimer(signal.ITIMER_REAL, 0)  # nothing is raised again after the end
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    if _in_callback(frame):
        signal.signal(signal.SIGALRM, lambda _, later: _end(number, later))
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        return
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _in_callback(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name.startswith(_CALLBACKS):
            return True
        frame = frame.f_back
    return False

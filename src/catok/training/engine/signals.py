"""Signals that ask a run to end, as polite requests."""

import signal
import threading
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGXCPU")  # those that this system has


class GracefulStop:
    """While it is entered, `requested` turns True on a request to end (main thread only).

    That is Ctrl-C, SIGTERM, a closed terminal (SIGHUP), and what queues of clusters send before
    they end a job (SIGUSR1, SIGXCPU). What was ignored, as SIGHUP is under nohup, stays ignored.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "GracefulStop":
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, *_: object) -> None:
        self.requested = True

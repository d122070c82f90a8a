"""Worker processes that build their tools once, or this process where one is enough."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
AHEAD = 2  # items handed out per worker, so that none waits for work
GRACE = 3.0  # seconds that a dismissed worker has to come to an end

_tools: Any = None  # of a worker process
_make_tools: Callable[[], Any] | None = None
_stop: Event | None = None


class Stopped(BaseException):
    """The crew is dismissed while an item is being worked on; nothing should catch this."""


class Crew:
    """Context that calls functions of (tools, item) in `workers` processes, or in this one if 1.

    `make_tools` runs once per process, at its first item; it, the functions, items and results must
    be picklable, importable by name in a fresh process. `threads`: PyTorch's in every worker; None
    shares the cores out. Exceptions of a function or of `make_tools` are raised here; ValueError
    where a worker was killed.
    """

    def __init__(
        self, make_tools: Callable[[], Any], workers: int = 1, threads: int | None = None
    ) -> None:
        if workers < 1 or (threads is not None and threads < 1):
            raise ValueError(f"workers and threads must be at least 1, got {workers}, {threads}")
        self.workers = workers
        self._make = make_tools
        self._own: list[Any] = []
        self._pool: ProcessPoolExecutor | None = None
        self._handler: Any = None  # of Ctrl-C, while there are worker processes
        self._threads = threads or max(1, (os.cpu_count() or 1) // workers)

    def __enter__(self) -> "Crew":
        if self.workers > 1:
            context = multiprocessing.get_context("spawn")
            self._event = context.Event()
            if threading.current_thread() is threading.main_thread():
                self._handler = signal.signal(signal.SIGINT, _interrupt_once)
            self._pool = ProcessPoolExecutor(
                self.workers,
                mp_context=context,
                initializer=_begin,
                initargs=(self._make, self._threads, self._event),
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            if kind is not None:
                self._event.set()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
            if self._handler is not None:
                signal.signal(signal.SIGINT, self._handler)

    def one(self, function: Callable[[Any, Any], T], item: Any) -> T:
        """The result of one item."""
        return next(self.each(function, [item]))

    def each(self, function: Callable[[Any, Any], T], items: Iterable[Any]) -> Iterator[T]:
        """The results as they come, which with several workers is in no fixed order."""
        if self._pool is None:
            for item in items:
                if not self._own:
                    self._own.append(self._make())
                yield function(self._own[0], item)
            return
        left = iter(items)
        waiting: set[Future[T]] = set()
        while True:
            room = AHEAD * self.workers - len(waiting)
            waiting |= {self._pool.submit(_call, function, item) for item in islice(left, room)}
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                try:
                    yield future.result()
                except BrokenExecutor as error:
                    raise ValueError(
                        "a worker process was ended from outside, most likely for lack of memory: "
                        "try fewer workers; what is done is kept"
                    ) from error


def check_stop() -> None:
    """Raise `Stopped` in a worker whose crew is being dismissed; cheap, to be called often."""
    if _stop is not None and _stop.is_set():
        raise Stopped


def _interrupt_once(number: int, frame: object) -> None:
    """Ctrl-C while there are workers: a second one would break into their dismissal, which does
    not take long, and leave them waiting for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _begin(make_tools: Callable[[], Any], threads: int, stop: Event) -> None:
    """Ready a worker: Ctrl-C is the parent's matter, and without a parent there is no work."""
    global _make_tools, _stop
    import torch

    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _make_tools, _stop = make_tools, stop
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent, stop), daemon=True).start()


def _leave_with(parent: Any, stop: Event) -> None:
    """End this worker when the parent is gone, or when it was dismissed and does not end."""
    while parent.is_alive() and not stop.is_set():
        parent.join(0.5)
    if parent.is_alive():
        parent.join(GRACE)
    os._exit(1)


def _call(function: Callable[[Any, Any], T], item: Any) -> T:
    global _tools
    check_stop()
    if _tools is None:
        assert _make_tools is not None
        _tools = _make_tools()
    return function(_tools, item)

"""Worker processes that load their models once, or this process where one is enough."""

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
ITEMS_AHEAD = 2  # items handed out per worker, so that none waits for work
GRACE_SECONDS = 3.0  # that a cancelled worker has to end by itself

_worker: Any = None  # of a worker process
_build_worker: Callable[[], Any] | None = None
_cancelled: Event | None = None


class WorkerCancelled(BaseException):
    """The pool is being closed while an item is processed; nothing should catch this."""


class WorkerPool:
    """Context that calls functions of (worker, item) in `workers` processes, or in this one if 1.

    `build_worker` runs once per process, at its first item; it, the functions, items and results
    must be picklable, importable by name in a fresh process. `threads`: PyTorch's in every process;
    None divides the cores. Exceptions of a function or of `build_worker` are raised here;
    ValueError where a process was killed.
    """

    def __init__(
        self, build_worker: Callable[[], Any], workers: int = 1, threads: int | None = None
    ) -> None:
        if workers < 1 or (threads is not None and threads < 1):
            raise ValueError(f"workers and threads must be at least 1, got {workers}, {threads}")
        self.workers = workers
        self._build_worker = build_worker
        self._local_worker: list[Any] = []
        self._pool: ProcessPoolExecutor | None = None
        self._handler: Any = None  # of Ctrl-C, while there are worker processes
        self._threads = threads or max(1, (os.cpu_count() or 1) // workers)

    def __enter__(self) -> "WorkerPool":
        if self.workers > 1:
            context = multiprocessing.get_context("spawn")
            self._cancelled = context.Event()
            if threading.current_thread() is threading.main_thread():
                self._handler = signal.signal(signal.SIGINT, _interrupt_once)
            self._pool = ProcessPoolExecutor(
                self.workers,
                mp_context=context,
                initializer=_init_worker,
                initargs=(self._build_worker, self._threads, self._cancelled),
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
                self._cancelled.set()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
            if self._handler is not None:
                signal.signal(signal.SIGINT, self._handler)

    def call(self, function: Callable[[Any, Any], T], item: Any) -> T:
        """The result of one item."""
        return next(self.imap_unordered(function, [item]))

    def imap_unordered(
        self, function: Callable[[Any, Any], T], items: Iterable[Any]
    ) -> Iterator[T]:
        """The results as they come: in the order of the items only if there is one worker."""
        if self._pool is None:
            for item in items:
                if not self._local_worker:
                    self._local_worker.append(self._build_worker())
                yield function(self._local_worker[0], item)
            return
        remaining = iter(items)
        pending: set[Future[T]] = set()
        while True:
            room = ITEMS_AHEAD * self.workers - len(pending)
            pending |= {
                self._pool.submit(_call, function, item) for item in islice(remaining, room)
            }
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                try:
                    yield future.result()
                except BrokenExecutor as error:
                    raise ValueError(
                        "a worker process was ended from outside, most likely for lack of memory: "
                        "try fewer workers; what is done is kept"
                    ) from error


def raise_if_cancelled() -> None:
    """Raise `WorkerCancelled` in a worker whose pool is being closed; cheap, to be called often."""
    if _cancelled is not None and _cancelled.is_set():
        raise WorkerCancelled


def _interrupt_once(number: int, frame: object) -> None:
    """Ctrl-C while there are workers. A second one is ignored: it would interrupt the shutdown,
    which does not take long, and leave them waiting for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _init_worker(build_worker: Callable[[], Any], threads: int, cancelled: Event) -> None:
    """Set up a worker process. Ctrl-C is handled by the parent; without a parent it ends."""
    global _build_worker, _cancelled
    import torch

    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _build_worker, _cancelled = build_worker, cancelled
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with_parent, args=(parent, cancelled), daemon=True).start()


def _exit_with_parent(parent: Any, cancelled: Event) -> None:
    """End this process when the parent is gone, or when it was cancelled and does not end."""
    while parent.is_alive() and not cancelled.is_set():
        parent.join(0.5)
    if parent.is_alive():
        parent.join(GRACE_SECONDS)
    os._exit(1)


def _call(function: Callable[[Any, Any], T], item: Any) -> T:
    global _worker
    raise_if_cancelled()
    if _worker is None:
        assert _build_worker is not None
        _worker = _build_worker()
    return function(_worker, item)

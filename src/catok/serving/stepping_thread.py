"""A thread that takes steps while there is work, and runs commands of others between them."""

import asyncio
import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from catok.serving.jobs import Cancelled

T = TypeVar("T")
log = logging.getLogger("catok.serving")


class SteppingThread(ABC):
    """`start` it, `post` and `call` from any event loop, `stop` it. `steps`: taken so far."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._commands: deque[Callable[[], None]] = deque()
        self._wanted = threading.Condition()
        self._stopping = self._ended = False
        self._thread: threading.Thread | None = None
        self.steps = 0

    @abstractmethod
    def _busy(self) -> bool:
        """Whether there is something to do."""

    @abstractmethod
    def _step_all(self) -> None:
        """A step of everything that has something to do."""

    @abstractmethod
    def _abandon(self) -> None:
        """End what runs: the thread stops."""

    def start(self) -> None:
        """Begin to work."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End what runs, and the thread."""
        with self._wanted:
            self._stopping = True
            self._wanted.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def alive(self) -> bool:
        """Whether the thread is at work."""
        return self._thread is not None and self._thread.is_alive()

    def post(self, command: Callable[[], None]) -> None:
        """Run a command in the thread, between two steps, in the order of the calls."""
        with self._wanted:
            if not self._ended:
                self._commands.append(command)
                self._wanted.notify()

    async def call(self, function: Callable[[], T]) -> T:
        """What a function returns that uses a model: it runs in the thread, between two steps."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(method: str, value: Any) -> None:
            if not future.done():
                getattr(future, method)(value)

        def run() -> None:
            if future.cancelled():
                return
            try:
                result = function()
            except Exception as error:
                call_in_loop(loop, settle, "set_exception", error)
            else:
                call_in_loop(loop, settle, "set_result", result)

        self.post(run)
        self._check_alive()
        return await future

    def _check_alive(self) -> None:
        if self._ended or not self.alive:
            raise Cancelled("the server stops")

    def _run(self) -> None:
        while True:
            with self._wanted:
                while not (self._commands or self._stopping or self._busy()):
                    self._wanted.wait()
                if self._stopping:
                    break
                commands, self._commands = self._commands, deque()
            for command in commands:
                _attempt(command)
            self._step_all()
            self.steps += 1
        self._abandon()
        with self._wanted:
            self._ended = True
        for command in self._commands:  # who waits for an answer is told
            _attempt(command)


def _attempt(command: Callable[[], None]) -> None:
    try:
        command()
    except Exception:
        log.exception("a command failed")


def call_in_loop(
    loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: Any
) -> None:
    """Call a function in an event loop, from any thread."""
    with suppress(RuntimeError):  # the event loop is gone, and who waited with it
        loop.call_soon_threadsafe(function, *arguments)

"""Recordings read ahead by worker processes, a bounded number of them at a time."""

import time
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_all_start_methods, get_context
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from catok.audio import AudioWarning, audio_warnings
from catok.corpus.recording import Recording

Key = TypeVar("Key")

LONGEST = 60.0  # seconds that a worker reads; longer recordings are read here, block by block


class Reader:
    """Reads recordings at a model's rate, in order; `waited` counts the seconds spent on waiting.

    `workers`: processes that read ahead (0: everything is read here, when it is asked for).
    """

    def __init__(self, sample_rate: int, channels: int, workers: int = 0) -> None:
        if workers < 0:
            raise ValueError(f"workers must not be negative, got {workers}")
        self._kind = sample_rate, channels
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self.waited = 0.0

    def read(
        self, recordings: Iterable[tuple[Key, Recording]]
    ) -> Iterator[tuple[Key, Iterator[Tensor]]]:
        """The key of every recording with its audio in blocks `[C, n]`, which raise what cannot be
        read. One that kills the process which reads it is such a one.
        """
        if not self._workers:
            for key, recording in recordings:
                yield key, self._timed(recording.blocks(*self._kind))
            return
        ahead: deque[tuple[Key, Recording, Future[_Whole | None]]] = deque()
        waiting = iter(recordings)
        try:
            while True:
                while len(ahead) < 4 * self._workers:
                    following = next(waiting, None)
                    if following is None:
                        break
                    ahead.append((*following, self._submit(following[1])))
                if not ahead:
                    return
                key, recording, audio = ahead.popleft()
                yield key, self._timed(self._finished(recording, audio))
        finally:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = None

    def _submit(self, recording: Recording) -> "Future[_Whole | None]":
        try:
            if self._pool is not None:
                return self._pool.submit(_read, recording, *self._kind)
        except BrokenProcessPool:
            pass
        self._pool = _pool(self._workers)
        return self._pool.submit(_read, recording, *self._kind)

    def _finished(self, recording: Recording, audio: "Future[_Whole | None]") -> Iterator[Tensor]:
        try:
            whole = audio.result()
        except BrokenProcessPool:  # a process died, perhaps of another recording
            whole = self._read_alone(recording)
        if whole is None:
            yield from recording.blocks(*self._kind)
            return
        for note in whole.notes:
            warnings.warn(note, AudioWarning, stacklevel=2)
        yield torch.from_numpy(whole.audio)

    def _read_alone(self, recording: Recording) -> "_Whole | None":
        """Read in a process of its own. Raises ValueError where that dies again."""
        pool = _pool(1)
        try:
            return pool.submit(_read, recording, *self._kind).result()
        except BrokenProcessPool as error:
            raise ValueError("the process that read it died: damaged, or out of memory") from error
        finally:
            pool.shutdown(wait=False)

    def _timed(self, blocks: Iterator[Tensor]) -> Iterator[Tensor]:
        while True:
            began = time.perf_counter()
            try:
                block = next(blocks, None)
            finally:
                self.waited += time.perf_counter() - began
            if block is None:
                return
            yield block


def _pool(workers: int) -> ProcessPoolExecutor:
    """Processes forked from one that has imported this module and nothing else has run in."""
    if "forkserver" not in get_all_start_methods():  # Windows
        return ProcessPoolExecutor(workers, get_context("spawn"), _start)
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return ProcessPoolExecutor(workers, context, _start)


def _start() -> None:
    torch.set_num_threads(1)


@dataclass(frozen=True)
class _Whole:
    """The audio `[C, T]` of a recording, and what is missing from it."""

    audio: np.ndarray
    notes: tuple[str, ...]


def _read(recording: Recording, sample_rate: int, channels: int) -> _Whole | None:
    """The whole recording; None where it is longer than `LONGEST`."""
    blocks, seconds = [np.zeros((channels, 0), np.float32)], 0.0
    with (
        audio_warnings() as notes,
        closing(recording.blocks(sample_rate, channels)) as stream,  # type: ignore[type-var]
    ):
        for block in stream:
            blocks.append(block.numpy())
            seconds += block.shape[1] / sample_rate
            if seconds > LONGEST:
                return None
    return _Whole(np.concatenate(blocks, axis=1), tuple(notes))

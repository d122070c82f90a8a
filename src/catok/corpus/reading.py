"""Recordings read ahead by worker processes, a bounded number of them at a time."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from multiprocessing import get_context

import numpy as np
import torch
from torch import Tensor

from catok.corpus.inputs import Recording

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
        self.waited = 0.0

    def read(self, recordings: Iterable[Recording]) -> Iterator[tuple[Recording, Iterator[Tensor]]]:
        """Every recording with its audio in blocks `[C, n]`, which raise what cannot be read."""
        if not self._workers:
            for recording in recordings:
                yield recording, self._timed(recording.blocks(*self._kind))
            return
        ahead: deque[tuple[Recording, Future[np.ndarray | None]]] = deque()
        waiting = iter(recordings)
        pool = ProcessPoolExecutor(self._workers, get_context("spawn"), _start)
        try:
            while True:
                while len(ahead) < 4 * self._workers:
                    recording = next(waiting, None)
                    if recording is None:
                        break
                    ahead.append((recording, pool.submit(_read, recording, *self._kind)))
                if not ahead:
                    return
                recording, audio = ahead.popleft()
                yield recording, self._timed(self._finished(recording, audio))
        except BrokenProcessPool as error:
            raise OSError(f"a process that reads audio died: {error}") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _finished(
        self, recording: Recording, audio: "Future[np.ndarray | None]"
    ) -> Iterator[Tensor]:
        whole = audio.result()
        if whole is None:
            yield from recording.blocks(*self._kind)
        else:
            yield torch.from_numpy(whole)

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


def _start() -> None:
    torch.set_num_threads(1)


def _read(recording: Recording, sample_rate: int, channels: int) -> np.ndarray | None:
    """The whole audio `[C, T]`; None where it is longer than `LONGEST`."""
    blocks, seconds = [], 0.0
    with closing(recording.blocks(sample_rate, channels)) as found:  # type: ignore[type-var]
        for block in found:
            blocks.append(block.numpy())
            seconds += block.shape[1] / sample_rate
            if seconds > LONGEST:
                return None
    return np.concatenate(blocks, axis=1) if blocks else np.zeros((channels, 0), np.float32)

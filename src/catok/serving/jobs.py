"""What a request sees of the scheduler: asynchronous streams with bounded memory on both sides.

A job is made and read in an event loop, and fed by the scheduler's thread. Whoever reads slowly
pauses his own row; whoever writes fast waits.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from catok.tokenizer import checks

if TYPE_CHECKING:
    from catok.lm.tts.prompt import SpeechPrompt
    from catok.serving.scheduler import Scheduler
    from catok.tokenizer.stream_pool import DecoderPool, EncoderPool, StreamOutput

MOST_UNREAD = 50  # frames that wait for the reader: 4 s
MOST_PENDING = 64  # frames that wait for the model


class Cancelled(Exception):
    """The job was cancelled, or the server stops."""


class Job(AsyncIterator[Tensor]):
    """An asynchronous iterator over what the scheduler makes of a request."""

    def __init__(self, scheduler: "Scheduler") -> None:
        self._scheduler = scheduler
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._items: deque[tuple[Tensor, int]] = deque()
        self._moved = asyncio.Event()  # something arrived
        self._unread = self._pending = 0  # frames
        self._paused = False
        self._over = False
        self._error: BaseException | None = None

    def __aiter__(self) -> "Job":
        return self

    async def __anext__(self) -> Tensor:
        while True:
            with self._lock:
                if self._items:
                    item, frames = self._items.popleft()
                    self._unread -= frames
                    resume = self._paused and self._unread <= MOST_UNREAD // 2
                    if resume:
                        self._paused = False
                    break
                if self._error is not None:
                    raise self._error
                if self._over:
                    raise StopAsyncIteration
                self._moved.clear()
            await self._moved.wait()
        if resume:
            self._scheduler.post(lambda: self._pause(False))
        return item

    def cancel(self) -> None:
        """Nothing more is wanted: the row is freed, and what was made is thrown away."""
        with self._lock:
            if self._over:
                self._items.clear()
                return
            self._items.clear()
            self._end_locked(Cancelled("the request was cancelled"))
        self._scheduler.post(self.release)
        self._moved.set()

    def fail(self, error: BaseException) -> None:
        """End it with an error, which its reader gets after what was made."""
        with self._lock:
            self._end_locked(error)
        self._scheduler.post(self.release)
        self._moved.set()

    async def _wait_for_room(self, frames: int) -> None:
        """Wait until so many frames more may be sent to the model; raises what ended the job."""
        while True:
            with self._lock:
                if self._error is not None:
                    raise self._error
                if self._over or self._pending < MOST_PENDING:
                    self._pending += frames
                    return
                self._moved.clear()
            await self._moved.wait()

    # what follows is called in the scheduler's thread

    def give(self, item: Tensor, frames: int) -> None:
        """Hand out what was made of so many frames."""
        with self._lock:
            self._pending -= frames
            if self._over:
                return
            if item.shape[-1]:
                self._items.append((item, frames))
                self._unread += frames
            pause = self._unread > MOST_UNREAD and not self._paused
            if pause:
                self._paused = True
        if pause:
            self._pause(True)
        self._wake()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more will come."""
        with self._lock:
            self._end_locked(error)
        self._wake()

    def _end_locked(self, error: BaseException | None) -> None:
        if not self._over:
            self._over, self._error = True, error

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the event loop is gone, and its reader with it
            self._loop.call_soon_threadsafe(self._moved.set)

    def start(self) -> None:
        """Take a row. Raises as the pool or engine does."""
        raise NotImplementedError

    def release(self) -> None:
        """Free the row."""
        raise NotImplementedError

    def _pause(self, paused: bool) -> None:
        raise NotImplementedError


class StreamJob(Job):
    """A row of a pool of streams; `setting` is what the pool opens it with."""

    def __init__(
        self, scheduler: "Scheduler", pool: "EncoderPool | DecoderPool", setting: int | None
    ) -> None:
        super().__init__(scheduler)
        self._pool, self._setting, self._stream = pool, setting, 0

    @property
    def _jobs(self) -> dict[Any, dict[int, Any]]:
        """The scheduler's jobs of such pools, of those that are in use."""
        raise NotImplementedError

    def finish(self) -> None:
        """The stream ends here."""
        self._scheduler.post(self._finish)

    def start(self) -> None:
        self._stream = self._pool.open(self._setting)
        self._jobs[self._pool][self._stream] = self

    def output(self, output: "StreamOutput") -> None:
        """Take what a step made."""
        self.give(output.data, output.frames)
        if output.ended:
            self.end()

    def _push(self, piece: Tensor) -> None:
        if self._stream in self._pool:
            self._pool.push(self._stream, piece)

    def _finish(self) -> None:
        if self._stream in self._pool:
            self._pool.finish(self._stream)

    def _pause(self, paused: bool) -> None:
        if self._stream in self._pool:
            self._pool.pause(self._stream, paused)

    def release(self) -> None:
        self._pool.close(self._stream)
        self._jobs.get(self._pool, {}).pop(self._stream, None)


class EncodeJob(StreamJob):
    """Audio in, codes `[K, n]` out."""

    def __init__(
        self, scheduler: "Scheduler", pool: "EncoderPool", num_quantizers: int | None
    ) -> None:
        super().__init__(scheduler, pool, num_quantizers)
        self._pool: EncoderPool = pool
        self.samples = 0  # pushed

    async def push(self, samples: Tensor) -> None:
        """Audio `[C, n]` at the tokenizer's rate; waits while too much is waiting.

        Raises ValueError on what is no audio.
        """
        checks.check_audio(samples[None], self._pool.model.channels, may_be_empty=True)
        checks.check_samples(samples)
        size = self._pool.model.frame_size
        for piece in samples.split(MOST_PENDING // 4 * size, dim=1):
            before, self.samples = self.samples, self.samples + piece.shape[1]
            await self._wait_for_room(self.samples // size - before // size)
            self._scheduler.post(lambda piece=piece: self._push(piece))

    @property
    def _jobs(self) -> dict[Any, dict[int, Any]]:
        return self._scheduler.encoding


class DecodeJob(StreamJob):
    """Codes in, audio `[C, t]` out; `samples`: where the audio ends, if that is known."""

    def __init__(self, scheduler: "Scheduler", pool: "DecoderPool", samples: int | None) -> None:
        super().__init__(scheduler, pool, samples)
        self._pool: DecoderPool = pool
        self._depth = 0

    async def push(self, codes: Tensor) -> None:
        """Codes `[K, n]`, K the same for all of a stream; waits while too much is waiting.

        Raises ValueError on what are no codes of the tokenizer.
        """
        model = self._pool.model
        checks.check_codes(codes[None], model.num_quantizers, model.codebook_size)
        if self._depth not in (0, len(codes)):
            raise ValueError(f"the stream has {self._depth} codebooks, got {len(codes)}")
        self._depth = len(codes)
        for piece in codes.split(MOST_PENDING // 4, dim=1):
            await self._wait_for_room(piece.shape[1])
            self._scheduler.post(lambda piece=piece: self._push(piece))

    @property
    def _jobs(self) -> dict[Any, dict[int, Any]]:
        return self._scheduler.decoding


class SpeakJob(DecodeJob):
    """A prompt in, audio out, frame by frame. After the end, `codes` and `ended` are final.

    A slow reader pauses the decoding; the language model is done with him at its own pace.
    """

    def __init__(self, scheduler: "Scheduler", pool: "DecoderPool", prompt: "SpeechPrompt") -> None:
        super().__init__(scheduler, pool, None)
        self._prompt, self._row = prompt, 0
        self._columns: list[Tensor] = []
        self.ended = False

    @property
    def codes(self) -> Tensor:
        """The codes `[K, F]` int64 so far."""
        depth = self._prompt.settings.num_quantizers
        empty = torch.zeros(depth, 0, dtype=torch.int64, device="cpu")
        return torch.cat([empty, *(column[:, None] for column in self._columns)], dim=1)

    def start(self) -> None:
        engine, synth = self._scheduler.generation, self._scheduler.models.synthesizer
        assert engine is not None and synth is not None
        self._row = engine.admit(synth.generation(self._prompt))
        try:
            super().start()
        except BaseException:
            engine.retire(self._row)
            raise
        self._scheduler.speaking[self._row] = self
        prefix = self._prompt.tokens.prefix[: self._prompt.settings.num_quantizers]
        if prefix.shape[1]:
            self._pool.push(self._stream, prefix, silent=True)

    def frame(self, frame: Any) -> None:
        """Take a `RowFrame`."""
        if self._stream not in self._pool:
            return
        if frame.codes is not None:
            self._columns.append(frame.codes)
            self._pool.push(self._stream, frame.codes[:, None])
        if frame.over:
            self.ended = frame.ended
            self._pool.finish(self._stream)

    def release(self) -> None:
        super().release()
        if self._scheduler.generation is not None:
            self._scheduler.generation.retire(self._row)
        self._scheduler.speaking.pop(self._row, None)

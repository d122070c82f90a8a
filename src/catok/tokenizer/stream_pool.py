"""Many streams that begin and end when they like, advanced together.

A session (`streaming.py`) advances all of its rows at once. In a pool every stream has a row of its
own, and a step advances those that have something waiting: what a stream gets is what it would get
alone, for a fraction of the work.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from catok.io.arrays import as_tensor
from catok.io.numbers import check_whole_number
from catok.modules.streaming_state import StackState
from catok.tokenizer import checks
from catok.tokenizer.model import CodecModel
from catok.tokenizer.stream_states import StreamStates

ROWS = 256
STEP_SIZES = (1, 4, 16)  # frames of every row in one step
MOST_FRAMES = 64  # of all rows in one step, so that none takes long


class PoolFull(RuntimeError):
    """Every row of a pool is taken."""


@dataclass(frozen=True)
class StreamOutput:
    """What a step made of one stream: codes `[K, n]` or audio `[C, t]`, on the CPU.

    `frames`: how many were worked off for it. `ended`: nothing more will come; the stream's row is
    free again.
    """

    stream: int
    data: Tensor
    frames: int
    ended: bool


@dataclass
class _Stream:
    """A row of a pool. `waiting`: what has not been worked off, time in the last dimension."""

    waiting: Tensor
    depth: int  # codebooks
    finished: bool = False
    samples: int = 0  # pushed into an encoder
    limit: int | None = None  # samples that a decoder gives in all
    given: int = 0
    silent: int = 0  # frames yet to be decoded whose sound is not given out
    paused: bool = False


class _StreamPool(ABC):
    """What both pools share: opening, closing, and whose turn it is."""

    def __init__(self, model: CodecModel, rows: int = ROWS) -> None:
        check_whole_number("rows", rows, at_least=1)
        self.model, self.rows = model, rows
        self._streams: dict[int, _Stream] = {}  # those that waited longest come first
        self._states = StreamStates()
        self._frame_size = model.frame_size
        self._last_size = 0
        self._number = 0

    def __len__(self) -> int:
        """Rows that are taken."""
        return len(self._streams)

    def __contains__(self, stream: int) -> bool:
        return stream in self._streams

    def finish(self, stream: int) -> None:
        """Nothing more will be pushed; the last output of the stream will say `ended`."""
        self._streams[stream].finished = True

    def close(self, stream: int) -> None:
        """Forget a stream and all that waits in it; its row is free. No error if it has ended."""
        if self._streams.pop(stream, None) is not None:
            self._states.remove(stream)

    def pause(self, stream: int, paused: bool) -> None:
        """A paused stream keeps its place and is not stepped: its reader is behind."""
        self._streams[stream].paused = paused

    def waiting(self, stream: int) -> int:
        """Frames that are waiting to be worked off, a last partial one among them if finished."""
        return self._frames(self._streams[stream])

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return any(self._ready(stream) for stream in self._streams.values())

    @torch.no_grad()
    def step(self) -> list[StreamOutput]:
        """Advance some of the streams that have something waiting, by 1, 4 or 16 frames each.

        Those with much waiting and those with little take turns, and whoever waited longest goes
        first: called again and again, a step never takes long and nobody is left out.
        """
        outputs = [self._end(number) for number, each in self._ended()]
        sizes = {
            number: max(size for size in STEP_SIZES if size <= self._frames(each))
            for number, each in self._streams.items()
            if self._ready(each)
        }
        if not sizes:
            return outputs
        bigger = [size for size in sizes.values() if size > self._last_size]
        size = min(bigger or sizes.values())
        self._last_size = size
        chosen = [number for number, possible in sizes.items() if possible == size]
        chosen = chosen[: max(1, MOST_FRAMES // size)]
        for number in chosen:  # to the back of the queue
            self._streams[number] = self._streams.pop(number)
        order, state = self._states.take(chosen)
        results, state = self._advance([self._streams[number] for number in order], size, state)
        self._states.put(order, state)
        for number, data in zip(order, results, strict=True):
            stream = self._streams[number]
            ended = stream.finished and self._frames(stream) == 0
            if ended:
                self.close(number)
            outputs.append(StreamOutput(number, data, size, ended))
        return outputs

    def _open(self, stream: _Stream, state: StackState) -> int:
        if len(self._streams) >= self.rows:
            raise PoolFull(f"all {self.rows} rows are taken")
        self._number += 1
        self._streams[self._number] = stream
        self._states.put([self._number], state)
        return self._number

    def _ready(self, stream: _Stream) -> bool:
        return not stream.paused and (stream.finished or self._frames(stream) > 0)

    def _ended(self) -> list[tuple[int, _Stream]]:
        """Streams that ended without anything waiting."""
        return [
            (number, each)
            for number, each in self._streams.items()
            if each.finished and not each.paused and self._frames(each) == 0
        ]

    def _end(self, number: int) -> StreamOutput:
        data = self._empty_output(self._streams[number])
        self.close(number)
        return StreamOutput(number, data, frames=0, ended=True)

    @abstractmethod
    def _frames(self, stream: _Stream) -> int: ...

    @abstractmethod
    def _empty_output(self, stream: _Stream) -> Tensor: ...

    @abstractmethod
    def _advance(
        self, streams: Sequence[_Stream], frames: int, state: StackState
    ) -> tuple[list[Tensor], StackState]: ...


class EncoderPool(_StreamPool):
    """Audio in, codes out, for up to `rows` streams that know nothing of each other."""

    def open(self, num_quantizers: int | None = None) -> int:
        """Begin a stream; its number. Raises PoolFull, and ValueError on a wrong number."""
        depth = checks.check_quantizers(num_quantizers, self.model.num_quantizers)
        empty = torch.zeros(self.model.channels, 0, dtype=torch.float32, device="cpu")
        return self._open(_Stream(empty, depth), self.model.encoder_state(1))

    def push(self, stream: int, samples: Any) -> None:
        """Audio `[C, n]`, n >= 0. Raises ValueError as `StreamEncoder.push` does."""
        audio = checks.check_audio(
            as_tensor(samples, "samples [C, n]")[None], self.model.channels, may_be_empty=True
        )
        checks.check_samples(audio)
        row = self._streams[stream]
        row.waiting = torch.cat([row.waiting, audio[0].detach().cpu()], dim=1)
        row.samples += audio.shape[2]

    def samples(self, stream: int) -> int:
        """How many were pushed."""
        return self._streams[stream].samples

    def _frames(self, stream: _Stream) -> int:
        size = self._frame_size
        extra = size - 1 if stream.finished else 0  # the last partial frame counts
        return (stream.waiting.shape[1] + extra) // size

    def _empty_output(self, stream: _Stream) -> Tensor:
        return torch.zeros(stream.depth, 0, dtype=torch.int64, device="cpu")

    def _advance(
        self, streams: Sequence[_Stream], frames: int, state: StackState
    ) -> tuple[list[Tensor], StackState]:
        wanted = frames * self._frame_size
        chunks = []
        for stream in streams:
            chunk = stream.waiting[:, :wanted]
            stream.waiting = stream.waiting[:, wanted:]
            if stream.waiting.shape[1] < wanted:
                stream.waiting = stream.waiting.clone()  # let go of what has been worked off
            chunks.append(pad(chunk, (0, wanted - chunk.shape[1])))
        deepest = max(stream.depth for stream in streams)
        codes, state = self.model.encode_frames(torch.stack(chunks), state, deepest)
        rows = zip(codes.cpu(), streams, strict=True)
        return [row[: stream.depth].clone() for row, stream in rows], state


class DecoderPool(_StreamPool):
    """Codes in, audio out, for up to `rows` streams that know nothing of each other."""

    def open(self, samples: int | None = None) -> int:
        """Begin a stream; its number. `samples`: its true length, if known: there the audio ends.

        Raises PoolFull.
        """
        empty = torch.zeros(0, 0, dtype=torch.int64, device="cpu")
        return self._open(_Stream(empty, 0, limit=samples), self.model.decoder_state(1))

    def push(self, stream: int, codes: Any, *, silent: bool = False) -> None:
        """Codes `[K, n]`, K the same for all of a stream.

        `silent`, before any others: codes that the sound follows on from; their own is not given
        out. Raises ValueError on codes that do not fit; the stream then stays as it was.
        """
        codes = as_tensor(codes, "codes [K, n]")[None]
        codes = checks.check_codes_layout(codes, self.model.num_quantizers, may_be_empty=True)
        if codes.shape[2]:
            checks.check_codes(codes, self.model.num_quantizers, self.model.codebook_size)
        row = self._streams[stream]
        if row.depth and row.depth != codes.shape[1]:
            raise ValueError(f"the stream has {row.depth} codebooks, got {codes.shape[1]}")
        row.depth = codes.shape[1]
        row.waiting = torch.cat([row.waiting.reshape(row.depth, -1), codes[0].cpu()], dim=1)
        row.silent += codes.shape[2] if silent else 0

    def _frames(self, stream: _Stream) -> int:
        return stream.waiting.shape[1]

    def _empty_output(self, stream: _Stream) -> Tensor:
        return torch.zeros(self.model.channels, 0, dtype=torch.float32, device="cpu")

    def _advance(
        self, streams: Sequence[_Stream], frames: int, state: StackState
    ) -> tuple[list[Tensor], StackState]:
        chunks = [stream.waiting[:, :frames] for stream in streams]
        latents = self._latents(chunks)
        decoded, state = self.model.side("decoder").step(latents, state)
        sounds = []
        for stream, sound in zip(streams, self.model.separate(decoded).float().cpu(), strict=True):
            stream.waiting = stream.waiting[:, frames:].clone()
            hidden = min(stream.silent, frames)
            stream.silent -= hidden
            sound = sound[:, hidden * self._frame_size :]
            if stream.limit is not None:
                sound = sound[:, : max(0, stream.limit - stream.given)]
            stream.given += sound.shape[1]
            sounds.append(sound.clone())
        return sounds, state

    def _latents(self, chunks: Sequence[Tensor]) -> Tensor:
        """Quantized latents `[B, D, n]` of codes `[K, n]`, K may differ."""
        by_row: dict[int, Tensor] = {}
        for depth in sorted({len(chunk) for chunk in chunks}):
            rows = [row for row, chunk in enumerate(chunks) if len(chunk) == depth]
            codes = torch.stack([chunks[row] for row in rows]).to(self.model.device)
            by_row |= zip(rows, self.model.quantizer.decode(codes), strict=True)
        return torch.stack([by_row[row] for row in range(len(chunks))])

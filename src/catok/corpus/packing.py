"""Many recordings through the rows of one exact stream, without padding to the longest.

Each row encodes one recording; where it ends, the row takes the next. Memory does not grow with
their lengths. Codes are those of each recording alone, since rows of a stream do not know each
other.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from catok.io.files import reason
from catok.tokenizer import checks
from catok.tokenizer.tokenizer import CausalAudioTokenizer

Key = TypeVar("Key")


@dataclass(frozen=True)
class Tokenized(Generic[Key]):
    """A recording's codes `[F, K]` uint16, frame by frame, or the `error` that it ended with.

    `samples`: its exact length per channel; `peak`: its largest absolute sample; `clipped`: its
    samples at full scale or beyond.
    """

    key: Key
    codes: np.ndarray
    samples: int
    peak: float = 0.0
    clipped: int = 0
    error: str | None = None


@dataclass
class Work:
    """Frames that were computed, and how many of them belong to recordings."""

    computed: int = 0
    used: int = 0

    @property
    def padding(self) -> float:
        """Share of the computed frames that belong to no recording."""
        return 1 - self.used / self.computed if self.computed else 0.0


class RowPacker:
    """Encodes recordings in `rows` rows of a stream, at most `frames` frames of each per step.

    `fixed`: every step has the full shape, for code that is compiled or captured once; otherwise a
    step is as long as the longest piece in it, and a single row keeps no state of recordings that
    end in their first step.
    """

    def __init__(
        self,
        tokenizer: CausalAudioTokenizer,
        rows: int = 16,
        frames: int = 25,
        num_quantizers: int | None = None,
        *,
        fixed: bool = False,
    ) -> None:
        if rows < 1 or frames < 1:
            raise ValueError(f"rows and frames must be at least 1, got {rows} and {frames}")
        self.tokenizer, self.rows, self.frames = tokenizer, rows, frames
        self.num_quantizers, self.fixed = num_quantizers, fixed
        self.work = Work()

    def encode(
        self, recordings: Iterable[tuple[Key, Iterator[Tensor]]]
    ) -> Iterator[Tokenized[Key]]:
        """Encode recordings, each a key and its audio in blocks `[C, n]` at the model's rate.

        They come back as they end, in another order. A recording whose blocks raise ValueError or
        OSError, or that is empty, not finite or far beyond full scale, comes back with its error;
        the others go on.
        """
        waiting = iter(recordings)
        rows: list[_PackedRow[Key] | None] = [None] * self.rows
        state = self.tokenizer.encoder_state(self.rows)
        while True:
            # 1. free rows take the next recordings
            for index in range(self.rows):
                while rows[index] is None:
                    recording = next(waiting, None)
                    if recording is None:
                        break
                    row = _PackedRow(*recording, self.tokenizer.frame_size)
                    row.fill(self.frames)
                    if row.error is None and row.filled:
                        rows[index] = row
                        state.reset([index])
                    else:
                        yield row.result()
            if not any(rows):
                return
            # 2. one step of all rows
            needed = max(row.frames for row in rows if row is not None)
            steps = self.frames if self.fixed else needed
            chunk = torch.stack([self._chunk(row, steps) for row in rows])
            active = torch.tensor([row is not None for row in rows])
            if self.rows == 1 and not self.fixed and rows[0] is not None and rows[0].is_whole:
                codes = self.tokenizer.encode(chunk, num_quantizers=self.num_quantizers).codes
            else:
                codes, state = self.tokenizer.encode_step(
                    chunk, state, active, num_quantizers=self.num_quantizers
                )
            by_row = codes.transpose(1, 2).to("cpu", torch.int32).numpy().astype(np.uint16)
            self.work.computed += self.rows * steps
            # 3. rows keep their frames; those that end give back their recording
            for index, row in enumerate(rows):
                if row is None:
                    continue
                self.work.used += row.keep(by_row[index])
                row.fill(self.frames)
                if row.error is not None or not row.filled:
                    yield row.result()
                    rows[index] = None

    def _chunk(self, row: "_PackedRow | None", frames: int) -> Tensor:
        samples = frames * self.tokenizer.frame_size
        chunk = torch.zeros(self.tokenizer.channels, samples, dtype=torch.float32, device="cpu")
        if row is not None:
            chunk[:, : row.filled] = row.audio
        return chunk


class _PackedRow(Generic[Key]):
    """A recording under way: the audio of its next step, and its codes so far."""

    def __init__(self, key: Key, blocks: Iterator[Tensor], frame_size: int) -> None:
        self.key, self._blocks, self._frame_size = key, blocks, frame_size
        self.audio = torch.zeros(0, 0)
        self.error: str | None = None
        self._rest: Tensor | None = None
        self._codes: list[np.ndarray] = []
        self._samples, self._peak, self._clipped = 0, 0.0, 0
        self._ended = False

    @property
    def is_whole(self) -> bool:
        """The next step is the first and the last."""
        return self._ended and not self._codes

    @property
    def filled(self) -> int:
        """Samples per channel of the next step; 0 when the recording has ended."""
        return self.audio.shape[1]

    @property
    def frames(self) -> int:
        """Frames of the next step, the last partial one included."""
        return -(-self.filled // self._frame_size)

    def fill(self, frames: int) -> None:
        """Read the audio of the next step, whole unless the recording ends in it."""
        wanted = frames * self._frame_size
        parts = [] if self._rest is None else [self._rest]
        have = sum(part.shape[1] for part in parts)
        try:
            while have < wanted:
                block = next(self._blocks, None)
                if block is None:
                    self._ended = True
                    break
                checks.check_samples(block)
                parts.append(block)
                have += block.shape[1]
        except (ValueError, OSError) as error:
            self.error = reason(error)
            return
        whole = torch.cat(parts, dim=1) if parts else torch.zeros(0, 0)
        self.audio, self._rest = whole[:, :wanted], whole[:, wanted:]
        if self.filled:
            self._peak = max(self._peak, float(self.audio.abs().max()))
            self._clipped += int((self.audio.abs() >= 1).sum())
        elif not self._samples:
            self.error = "it holds no samples"

    def keep(self, codes: np.ndarray) -> int:
        """Take the codes `[frames, K]` of the step; returns how many frames are the recording's."""
        self._codes.append(codes[: self.frames])
        self._samples += self.filled
        return self.frames

    def result(self) -> Tokenized[Key]:
        if self.error is not None:
            return Tokenized(self.key, np.zeros((0, 0), np.uint16), 0, error=self.error)
        codes = np.concatenate(self._codes)
        return Tokenized(self.key, codes, self._samples, self._peak, self._clipped)

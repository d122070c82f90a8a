"""Read audio files, whole, block by block or in part, and convert on the way."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from catok.audio.decoding import Decoder, open_decoders
from catok.audio.mixing import Downmix, check_mix, check_select, mix
from catok.audio.resampling import check_ratio, resample, resample_blocks
from catok.audio.source import Source, open_source
from catok.audio.warned import AudioWarning
from catok.io.arrays import check_peak
from catok.io.files import StrPath

_ROUNDING = 1e-3  # of a sample: k / rate * rate may lie just below k
_LARGEST_BLOCK = 1 << 22  # samples of all channels, whatever the rate


@dataclass(frozen=True)
class AudioInfo:
    """Rate in Hz, channels, and samples per channel of an audio file."""

    sample_rate: int
    channels: int
    samples: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.samples / self.sample_rate


def load_audio(
    path_or_file: StrPath | BinaryIO,
    *,
    sample_rate: int | None = None,
    channels: int | None = None,
    downmix: Downmix = "itu",
    select: Sequence[int] | None = None,
) -> tuple[Tensor, int]:
    """Read a whole file: float32 `[C, T]` clipped to [-1, 1], and its sample rate in Hz.

    `sample_rate` and `channels` convert (see `resample` and `mix`); None keeps the file's own.
    `select`: the file's channels to use, counted from 0 (None: all); `downmix`: how they become
    fewer. A file object is read from its start, a pipe to its end. Recordings joined in one file
    (chained Ogg, concatenated MP3 or WAV) are read one after the other. Warns with `AudioWarning`
    where a file is cut short or parts of it had to be passed over.

    Raises ValueError when the file is missing, empty, not audio, damaged, holds no samples, NaN,
    Inf or integers stored as floats, or cannot be converted as asked; OSError when the disk fails.
    """
    stack, source, decoders = _open(path_or_file)
    rate = decoders[0].sample_rate if sample_rate is None else sample_rate
    width = decoders[0].channels if select is None else len(select)
    conversion = _Conversion(rate, width if channels is None else channels, downmix, select)
    blocks = _blocks(stack, source, decoders, conversion, seconds=10.0)
    return torch.cat(list(blocks), dim=1), rate


def read_blocks(
    path: StrPath | BinaryIO,
    sample_rate: int,
    channels: int,
    seconds: float = 10.0,
    *,
    downmix: Downmix = "itu",
    select: Sequence[int] | None = None,
) -> Iterator[Tensor]:
    """Read a file of any length in bounded memory: yields float32 `[C, n]`, n varies.

    One block comes from about `seconds` of the file. Joined along time the blocks are what
    `load_audio` returns. Warns and raises as `load_audio` does, for damage when it is reached.
    """
    if not seconds > 0:
        raise ValueError(f"seconds must be positive, got {seconds}")
    conversion = _Conversion(sample_rate, channels, downmix, select)
    return _blocks(*_open(path), conversion, seconds)


def load_crop(
    path: StrPath | BinaryIO,
    offset: float,
    seconds: float,
    *,
    sample_rate: int,
    channels: int,
    downmix: Downmix = "itu",
    select: Sequence[int] | None = None,
) -> Tensor:
    """Part of a file from `offset` seconds on: float32 `[C, T]`, T at most seconds x sample_rate.

    Its samples are those of the whole recording. Seeks, so that a crop of a long file costs no more
    than one of a short file, unless PyAV or ffmpeg decode it. `downmix` and `select` as in
    `load_audio`. Warns of what is met or known without reading more. Raises ValueError as
    `load_audio` does, and when nothing lies at the offset.
    """
    stack, source, decoders = _open(path)
    conversion = _Conversion(sample_rate, channels, downmix, select)
    start, left, crops = offset, seconds, []
    with stack:
        for number, decoder in enumerate(decoders, start=1):
            rate = decoder.sample_rate
            conversion.check(decoder, source.name)
            first = int(start * rate + _ROUNDING)
            if number < len(decoders) and first >= decoder.samples():
                start -= decoder.samples() / rate
                continue
            wanted = -(-int(left * rate * 1000) // 1000)
            samples = _first(_checked(decoder, source.name, first), wanted)
            if samples.shape[1]:
                crops.append(resample(conversion.mixed(samples).clamp(-1, 1), rate, sample_rate))
            start, left = 0.0, left - samples.shape[1] / rate
            if left * rate < 1:
                break
    _warn(source.name, decoders)
    if not crops:
        raise ValueError(f"{source.name} holds no samples at {offset} s: mend or remove it")
    return torch.cat(crops, dim=1)[:, : round(seconds * sample_rate)]


def audio_info(path_or_file: StrPath | BinaryIO) -> AudioInfo:
    """Sample rate, channels and length, which are those that reading the file gives.

    Headers are asked where they can be trusted; else the samples are counted, which takes as long
    as reading. Raises ValueError when the file is missing, empty, not audio or holds no samples.
    """
    stack, source, decoders = _open(path_or_file)
    with stack:
        rate, channels = decoders[0].sample_rate, decoders[0].channels
        samples = sum(-(-d.samples() * rate // d.sample_rate) for d in decoders)
    if samples < 1:
        raise ValueError(f"{source.name} holds no samples: record or export it again")
    return AudioInfo(rate, channels, samples)


@dataclass(frozen=True)
class _Conversion:
    """From a file's rate and channels to others."""

    sample_rate: int
    channels: int
    downmix: Downmix = "itu"
    select: Sequence[int] | None = None

    def check(self, decoder: Decoder, name: str) -> None:
        """Raises ValueError where a file cannot be converted."""
        check_ratio(decoder.sample_rate, self.sample_rate, f"sample_rate for {name}")
        check_select(decoder.channels, self.select, name)
        have = decoder.channels if self.select is None else len(self.select)
        check_mix(have, self.channels, name, self.downmix)

    def mixed(self, block: Tensor) -> Tensor:
        """The channels wanted, from all `[C, n]` of the file."""
        chosen = block if self.select is None else block[list(self.select)]
        return mix(chosen, self.channels, self.downmix)

    def blocks(self, blocks: Iterator[Tensor], own_rate: int) -> Iterator[Tensor]:
        """Blocks of one recording at the rate wanted."""
        mixed = map(self.mixed, blocks)
        for block in resample_blocks(mixed, self.channels, own_rate, self.sample_rate):
            yield block.clamp_(-1.0, 1.0)


def _open(path_or_file: StrPath | BinaryIO) -> tuple[ExitStack, Source, list[Decoder]]:
    """A file and its decoders; the stack closes them."""
    with ExitStack() as stack:
        source = stack.enter_context(open_source(path_or_file))
        decoders = open_decoders(source)
        for decoder in decoders:
            stack.callback(decoder.close)
        return stack.pop_all(), source, decoders


def _blocks(
    stack: ExitStack,
    source: Source,
    decoders: list[Decoder],
    conversion: _Conversion,
    seconds: float,
) -> Iterator[Tensor]:
    """Check the conversion at once, then give the converted blocks `[C, n]`; closes the file."""
    with stack:
        for decoder in decoders:
            conversion.check(decoder, source.name)
        stack = stack.pop_all()

    def blocks() -> Iterator[Tensor]:
        total = 0
        with stack:
            for decoder in decoders:
                size = max(1, min(round(seconds * decoder.sample_rate), _LARGEST_BLOCK))
                whole = _gathered(_checked(decoder, source.name), size, decoder.channels)
                for block in conversion.blocks(whole, decoder.sample_rate):
                    total += block.shape[1]
                    yield block
        _warn(source.name, decoders)
        if total == 0:
            raise ValueError(f"{source.name} holds no samples: record or export it again")

    return blocks()


def _checked(decoder: Decoder, name: str, start: int = 0) -> Iterator[Tensor]:
    """Blocks `[C, n]` of the file as it is. Raises ValueError for what cannot be sound."""
    for block in decoder.blocks(start):
        check_peak(float(np.abs(block).max()), name)
        yield torch.from_numpy(block.T.copy())


def _gathered(blocks: Iterator[Tensor], size: int, channels: int) -> Iterator[Tensor]:
    """The same samples in blocks of `size`, the last may be shorter; fewer for many channels."""
    size = min(size, max(1, _LARGEST_BLOCK // channels))
    waiting, count = [], 0
    for block in blocks:
        for piece in block.split(size, dim=1):
            waiting.append(piece)
            count += piece.shape[1]
            if count >= size:
                yield torch.cat(waiting, dim=1)
                waiting, count = [], 0
    if waiting:
        yield torch.cat(waiting, dim=1)


def _first(blocks: Iterator[Tensor], wanted: int) -> Tensor:
    """At most `wanted` samples."""
    taken, count = [], 0
    while count < wanted and (block := next(blocks, None)) is not None:
        taken.append(block)
        count += block.shape[1]
    return torch.cat(taken, dim=1)[:, :wanted] if taken else torch.zeros(1, 0)


def _warn(name: str, decoders: list[Decoder]) -> None:
    notes = [
        note if len(decoders) == 1 else f"recording {number} of {len(decoders)}: {note}"
        for number, decoder in enumerate(decoders, start=1)
        for note in decoder.notes
    ]
    if notes:
        warnings.warn(f"{name}: {'; '.join(notes)}", AudioWarning, stacklevel=3)

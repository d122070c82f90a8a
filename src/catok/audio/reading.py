"""Read audio files, whole, block by block or in part, and convert on the way."""

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import soundfile
import torch
from torch import Tensor

from catok.audio.resampling import check_mix, check_rate, mix, resample, resample_blocks
from catok.io.files import StrPath, name_of

_LOUDEST = 1000.0  # 60 dB over full scale: no recording, but integers stored as floats


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


class _Reader(soundfile.SoundFile):
    """Reads forward only: soundfile would seek after every block, which fails in FLAC files that
    do not state their length and disturbs the decoders of lossy formats."""

    def seekable(self) -> bool:
        return False


def load_audio(
    path_or_file: StrPath | BinaryIO,
    *,
    sample_rate: int | None = None,
    channels: int | None = None,
) -> tuple[Tensor, int]:
    """Read a whole file: float32 `[C, T]` clipped to [-1, 1], and its sample rate in Hz.

    `sample_rate` and `channels` convert (see `resample` and `mix`); None keeps the file's own. A
    file object is read from its start. Raises ValueError when the file is missing, empty, not
    audio, damaged, holds no samples, NaN, Inf or integers stored as floats, or cannot be
    converted as asked.
    """
    reader = _open(path_or_file)
    rate = reader.samplerate if sample_rate is None else sample_rate
    width = reader.channels if channels is None else channels
    blocks = _blocks(reader, name_of(path_or_file), rate, width, seconds=10.0)
    return torch.cat(list(blocks), dim=1), rate


def read_blocks(
    path: StrPath | BinaryIO, sample_rate: int, channels: int, seconds: float = 10.0
) -> Iterator[Tensor]:
    """Read a file of any length in bounded memory: yields float32 `[C, n]`, n varies.

    One block comes from about `seconds` of the file. Joined along time the blocks are what
    `load_audio` returns. Raises ValueError as `load_audio` does, for damage when it is reached.
    """
    if not seconds > 0:
        raise ValueError(f"seconds must be positive, got {seconds}")
    return _blocks(_open(path), name_of(path), sample_rate, channels, seconds)


def load_crop(
    path: StrPath, offset: float, seconds: float, *, sample_rate: int, channels: int
) -> Tensor:
    """Part of a file from `offset` seconds on: float32 `[C, T]`, T at most seconds x sample_rate.

    Seeks, so that a crop of a long file costs no more than one of a short file. Raises ValueError
    as `load_audio` does, and when nothing lies at the offset.
    """
    try:
        with soundfile.SoundFile(path) as reader:
            reader.seek(min(int(offset * reader.samplerate), max(0, reader.frames - 1)))
            wanted = -(-int(seconds * reader.samplerate * 1000) // 1000)
            samples = reader.read(wanted, dtype="float32", always_2d=True).T
            rate = reader.samplerate
    except (soundfile.LibsndfileError, OSError) as error:
        raise ValueError(f"{path} cannot be read ({error}): remove it from the manifest") from error
    if samples.shape[1] == 0 or not np.isfinite(samples).all():
        raise ValueError(f"{path} holds no finite samples at {offset} s: mend or remove it")
    audio = mix(torch.from_numpy(samples).clamp(-1, 1), channels)
    return resample(audio, rate, sample_rate)[:, : round(seconds * sample_rate)]


def audio_info(path_or_file: StrPath | BinaryIO) -> AudioInfo:
    """Sample rate, channels and length, from the file's header where it states the length.

    Raises ValueError when the file is missing, empty, not audio or holds no samples.
    """
    name = name_of(path_or_file)
    with _open(path_or_file) as reader:
        samples = reader.frames
        if samples > 2**62:  # libsndfile's mark for "not stated": count
            samples = sum(block.shape[1] for block in _decoded(reader, name, seconds=10.0))
        if samples < 1:
            raise ValueError(f"{name} holds no samples: record or export it again")
        return AudioInfo(reader.samplerate, reader.channels, samples)


def _open(path_or_file: StrPath | BinaryIO) -> _Reader:
    name = name_of(path_or_file)
    if isinstance(path_or_file, (str, os.PathLike)):
        source = os.fspath(path_or_file)
        if not os.path.exists(source):
            raise ValueError(f"{name} does not exist: check the path")
        if os.path.isdir(source):
            raise ValueError(f"{name} is a folder: give one audio file")
        size = os.path.getsize(source)
    else:
        source = path_or_file
        if isinstance(source, io.TextIOBase):
            raise ValueError(f'{name} is open as text: open it with mode "rb"')
        if not source.seekable():
            raise ValueError(f"{name} cannot seek: wrap its content in io.BytesIO")
        size = source.seek(0, os.SEEK_END)
        source.seek(0)
    if size == 0:
        raise ValueError(f"{name} is empty (0 bytes): record or export it again")
    try:
        return _Reader(source)
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: headerless .raw
        raise ValueError(
            f"{name} is not audio that can be read ({error}): convert it to WAV or FLAC"
        ) from error


def _blocks(
    reader: _Reader, name: str, sample_rate: int, channels: int, seconds: float
) -> Iterator[Tensor]:
    """Check the conversion at once, then give the converted blocks `[C, n]`; closes the reader."""
    check_rate(sample_rate, f"sample_rate for {name}")
    check_mix(reader.channels, channels, name)

    def blocks() -> Iterator[Tensor]:
        with reader:
            decoded = (mix(block, channels) for block in _decoded(reader, name, seconds))
            for block in resample_blocks(decoded, channels, reader.samplerate, sample_rate):
                yield block.clamp_(-1.0, 1.0)

    return blocks()


def _decoded(reader: _Reader, name: str, seconds: float) -> Iterator[Tensor]:
    """Blocks `[C, n]` of the file as it is, checked."""
    size = max(1, round(seconds * reader.samplerate))
    total = 0
    while True:
        try:
            block = reader.read(size, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise ValueError(
                f"{name} is damaged after {total} samples ({error}): copy or export it again"
            ) from error
        if len(block) == 0:
            break
        peak = float(np.abs(block).max())
        if not np.isfinite(peak):
            raise ValueError(f"{name} holds NaN or Inf: repair it or leave it out")
        if peak > _LOUDEST:
            raise ValueError(f"{name} has samples of {peak:g}: scale float audio to [-1, 1]")
        total += len(block)
        yield torch.from_numpy(block.T.copy())
    if total == 0:
        raise ValueError(f"{name} holds no samples: record or export it again")

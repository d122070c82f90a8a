"""Audio files: read, write, convert on the way. Nothing else in catok touches audio files.

Audio is float32 `[C, T]`, full scale [-1, 1]. Resampling T samples gives exactly
ceil(T * new rate / old rate), so that nothing is lost at the end.
"""

import io
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO

import numpy as np
import soundfile
import torch
from torch import Tensor

from catok.files import StrPath, replacing
from catok.resampling import check_mix, check_rate, describe, mix, resample, resample_blocks

_WAV = ("WAV", "PCM_16")
_FORMATS = {  # suffix -> container and default subtype
    "": _WAV,
    ".wav": _WAV,
    ".w64": ("W64", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".aiff": ("AIFF", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
_LOUDEST = 1000.0  # 60 dB over full scale: no recording, but integers stored as floats
_WRITE_BLOCK = 1 << 16  # samples per write: some encoders fail on very large ones


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
    blocks = _blocks(reader, _name(path_or_file), rate, width, seconds=10.0)
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
    return _blocks(_open(path), _name(path), sample_rate, channels, seconds)


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
    name = _name(path_or_file)
    with _open(path_or_file) as reader:
        samples = reader.frames
        if samples > 2**62:  # libsndfile's mark for "not stated": count
            samples = sum(block.shape[1] for block in _decoded(reader, name, seconds=10.0))
        if samples < 1:
            raise ValueError(f"{name} holds no samples: record or export it again")
        return AudioInfo(reader.samplerate, reader.channels, samples)


def save_audio(
    path_or_file: StrPath | BinaryIO,
    audio: Tensor,
    sample_rate: int,
    *,
    subtype: str | None = None,
) -> None:
    """Write audio `[C, T]` or `[T]`, float in [-1, 1] (clipped), at `sample_rate` Hz.

    The suffix chooses the format (none, or a nameless file object: WAV); `subtype` is soundfile's
    name of the sample format, by default 16-bit PCM for WAV and FLAC. A path is replaced only when
    the whole file is written.
    Raises ValueError for audio of another shape or dtype, without samples or with NaN or Inf, for
    an unknown format and for a missing folder.
    """
    if audio.dim() not in (1, 2):
        raise ValueError(f"expected [C, T] or [T], got {describe(audio)}: save one item at a time")
    audio = audio[None] if audio.dim() == 1 else audio
    channels, samples = audio.shape
    if channels > max(samples, 16):
        raise ValueError(f"expected [C, T], got {describe(audio)}: transpose it with `audio.T`")
    with AudioWriter(path_or_file, sample_rate, channels, subtype=subtype) as writer:
        writer.write(audio)


class AudioWriter:
    """Context that writes audio block by block, for audio that does not fit in memory.

        with AudioWriter("hour.wav", 24000, 1) as writer:
            for block in blocks:  # each [C, n]
                writer.write(block)

    A path appears, or is replaced, only when the context ends cleanly; after an exception nothing
    is left behind. Formats and errors are those of `save_audio`.
    """

    def __init__(
        self,
        path_or_file: StrPath | BinaryIO,
        sample_rate: int,
        channels: int,
        *,
        subtype: str | None = None,
    ) -> None:
        check_rate(sample_rate)
        self._target, self._name = path_or_file, _name(path_or_file)
        self._format, self._subtype = _format(self._name, _is_path(path_or_file), subtype)
        self.sample_rate, self.channels = sample_rate, channels
        self.samples = 0  # per channel, so far
        self._file: soundfile.SoundFile | None = None

    def __enter__(self) -> "AudioWriter":
        with ExitStack() as stack:
            target = self._target
            if isinstance(target, (str, os.PathLike)):
                target = stack.enter_context(replacing(target))
            try:
                file = soundfile.SoundFile(
                    target,
                    "w",
                    self.sample_rate,
                    self.channels,
                    format=self._format,
                    subtype=self._subtype,
                )
            except soundfile.SoundFileError as error:
                raise ValueError(
                    f"cannot write {self._name}: {self._format} {self._subtype} does not take "
                    f"{self.sample_rate} Hz with {self.channels} channels ({error})"
                ) from error
            self._file = stack.enter_context(file)
            self._stack = stack.pop_all()
        return self

    def write(self, audio: Tensor) -> None:
        """Append float audio `[C, n]`, clipped to [-1, 1]; n may be 0."""
        if self._file is None:
            raise ValueError("open the AudioWriter first: `with AudioWriter(...) as writer:`")
        if audio.dim() != 2 or audio.shape[0] != self.channels or not audio.is_floating_point():
            raise ValueError(
                f"expected float audio [{self.channels}, n] for {self._name}, got {describe(audio)}"
            )
        for block in audio.detach().split(_WRITE_BLOCK, dim=1):
            samples = block.float().cpu().T.contiguous().numpy()
            if not np.isfinite(samples).all():
                raise ValueError(f"audio for {self._name} holds NaN or Inf: find where they arise")
            self._file.write(samples.clip(-1.0, 1.0))
            self.samples += len(samples)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file = None
        if kind is None and self.samples == 0:
            error = ValueError(f"no samples to write to {self._name}: write at least one")
            self._stack.__exit__(ValueError, error, None)
            raise error
        self._stack.__exit__(kind, error, trace)


def _open(path_or_file: StrPath | BinaryIO) -> _Reader:
    name = _name(path_or_file)
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


def _format(name: str, is_path: bool, subtype: str | None) -> tuple[str, str]:
    suffix = os.path.splitext(name)[1].lower()
    if not is_path and suffix not in _FORMATS:
        suffix = ".wav"
    if suffix not in _FORMATS:
        known = ", ".join(filter(None, _FORMATS))
        raise ValueError(f"{name}: cannot write {suffix!r} audio, choose one of {known}")
    container, default = _FORMATS[suffix]
    subtype = default if subtype is None else subtype.upper()
    if not soundfile.check_format(container, subtype):
        known = ", ".join(soundfile.available_subtypes(container))
        raise ValueError(f"{container} has no subtype {subtype!r}, choose one of {known}")
    return container, subtype


def _is_path(path_or_file: StrPath | BinaryIO) -> bool:
    return isinstance(path_or_file, (str, os.PathLike))


def _name(path_or_file: StrPath | BinaryIO) -> str:
    if isinstance(path_or_file, (str, os.PathLike)):
        return os.fspath(path_or_file)
    return str(getattr(path_or_file, "name", "the file object"))

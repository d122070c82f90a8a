"""Write audio files, whole or block by block."""

import os
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO

import numpy as np
import soundfile
from torch import Tensor

from catok.audio import wav
from catok.audio.mixing import VORBIS_ORDER
from catok.audio.resampling import check_rate, describe
from catok.audio.sink import open_sink
from catok.io.arrays import as_tensor
from catok.io.files import StrPath, name_of

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
_WRITE_BLOCK = 1 << 16  # samples per write: some encoders fail on very large ones


def save_audio(
    path_or_file: StrPath | BinaryIO,
    audio: Tensor | np.ndarray,
    sample_rate: int,
    *,
    subtype: str | None = None,
) -> None:
    """Write a tensor or array `[C, T]` or `[T]`, float in [-1, 1] (clipped), at `sample_rate` Hz.

    The suffix chooses the format (none, or a nameless file object: WAV); `subtype` is soundfile's
    name of the sample format, by default 16-bit PCM for WAV and FLAC. A path is replaced only when
    all of the file is on the disk. WAV above 4 GiB is RF64, as WAV readers know it.

    Raises ValueError for audio of another shape or dtype, without samples or with NaN or Inf, for
    an unknown format and for a missing folder; OSError when the disk is full or fails.
    """
    audio = as_tensor(audio, "audio [C, T]")
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
        self._target, self._name = path_or_file, name_of(path_or_file)
        is_path = isinstance(path_or_file, (str, os.PathLike))
        self._format, self._subtype = _format(self._name, is_path, subtype)
        self.sample_rate, self.channels = sample_rate, channels
        in_vorbis = self._subtype in ("VORBIS", "OPUS")
        self._order = np.argsort(VORBIS_ORDER.get(channels if in_vorbis else 0, range(channels)))
        self.samples = 0  # per channel, so far
        self._file: soundfile.SoundFile | None = None

    def __enter__(self) -> "AudioWriter":
        with ExitStack() as stack:
            self._sink = stack.enter_context(open_sink(self._target))
            try:
                file = soundfile.SoundFile(
                    self._sink,  # type: ignore[arg-type]
                    "w",
                    self.sample_rate,
                    self.channels,
                    format=self._format,
                    subtype=self._subtype,
                )
            except soundfile.SoundFileError as error:
                raise ValueError(
                    f"cannot write {self._name}: {self._format} {self._subtype} does not take "
                    f"{self.sample_rate} Hz with {self.channels} channels "
                    f"({getattr(error, 'error_string', str(error)).removeprefix('Error : ')})"
                ) from error
            self._file = file
            stack.callback(file.close)
            self._stack = stack.pop_all()
        return self

    def write(self, audio: Tensor | np.ndarray) -> None:
        """Append float audio `[C, n]`, clipped to [-1, 1]; n may be 0."""
        if self._file is None:
            raise ValueError("open the AudioWriter first: `with AudioWriter(...) as writer:`")
        audio = as_tensor(audio, "audio [C, n]")
        if audio.dim() != 2 or audio.shape[0] != self.channels or not audio.is_floating_point():
            raise ValueError(
                f"expected float audio [{self.channels}, n] for {self._name}, got {describe(audio)}"
                + ("" if audio.is_floating_point() else ": divide by full scale (32768 for int16)")
            )
        for block in audio.detach().split(_WRITE_BLOCK, dim=1):
            samples = block.float().cpu().T.contiguous().numpy()
            if not np.isfinite(samples).all():
                raise ValueError(f"audio for {self._name} holds NaN or Inf: find where they arise")
            self._write(self._file, samples.clip(-1.0, 1.0)[:, self._order])
            self.samples += len(samples)

    def _write(self, file: soundfile.SoundFile, samples: np.ndarray) -> None:
        try:
            file.write(samples)
        except (soundfile.SoundFileError, AssertionError) as error:
            self._sink.check()
            raise OSError(f"cannot write {self._name}: {error}") from error
        self._sink.check()
        if self._format == "AIFF" and self._sink.size > wav.LARGEST_RIFF:
            raise ValueError(f"{self._name}: AIFF holds at most 4 GiB, choose .wav or .flac")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        file, self._file = self._file, None
        if kind is None and self.samples == 0:
            error = ValueError(f"no samples to write to {self._name}: write at least one")
            self._stack.__exit__(ValueError, error, None)
            raise error
        if kind is not None or file is None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            file.close()
            if self._format == "WAV" and self._sink.size > wav.LARGEST_RIFF:
                wav.as_rf64(self._sink, self._sink.size, self.samples)


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

"""From audio to the bytes of an answer: one encoder for each answer, whatever its length.

WAV and PCM are written here. FLAC, Opus, MP3 and AAC are encoded by FFmpeg's libraries (PyAV).
"""

import io
import struct
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from catok.extras import imported

CONTENT_TYPES = {
    "wav": "audio/wav",
    "pcm": "audio/pcm",
    "flac": "audio/flac",
    "opus": "audio/ogg",
    "mp3": "audio/mpeg",
    "aac": "audio/aac",
}
SUFFIXES = {name: "ogg" if name == "opus" else name for name in CONTENT_TYPES}
UNKNOWN = 0xFFFFFFFF  # what players take for "until the stream ends"
_CODECS = {  # container, codec, bits per second and channel (None: lossless)
    "flac": ("flac", "flac", None),
    "opus": ("ogg", "libopus", 64_000),
    "mp3": ("mp3", "libmp3lame", 96_000),
    "aac": ("adts", "aac", 96_000),
}


class AudioEncoder(Protocol):
    """Bytes of audio `[C, n]` as it comes; joined, they are one file."""

    def write(self, audio: Tensor) -> bytes: ...
    def finish(self) -> bytes: ...


def audio_encoder(format: str, sample_rate: int, channels: int) -> AudioEncoder:
    """An encoder for an answer that is sent while it is made: its length is not known.

    Raises ValueError on an unknown format, and on a rate that the format does not have.
    """
    if format == "pcm":
        return PcmEncoder()
    if format == "wav":
        return PcmEncoder(wav_header(sample_rate, channels))
    if format not in _CODECS:
        raise ValueError(f"response_format must be one of {sorted(CONTENT_TYPES)}, got {format!r}")
    return CompressedEncoder(format, sample_rate, channels)


def whole_encoder(format: str, sample_rate: int, channels: int) -> AudioEncoder:
    """An encoder for an answer that is sent when it is complete: its header says how long it is.

    `finish` gives all of it. Raises ValueError as `audio_encoder` does.
    """
    if format in ("wav", "pcm"):
        return WholePcmEncoder(sample_rate, channels, header=format == "wav")
    if format in _CODECS:
        return CompressedEncoder(format, sample_rate, channels, seekable=True)
    return audio_encoder(format, sample_rate, channels)


def as_pcm(audio: Tensor) -> bytes:
    """Float audio `[C, n]`, clipped to [-1, 1], as interleaved 16-bit little-endian samples."""
    scaled = (audio.float().clamp(-1, 1) * 32767).round().to(torch.int16)
    return scaled.T.contiguous().numpy().astype("<i2").tobytes()


def from_pcm(data: bytes, channels: int) -> Tensor:
    """The opposite: `[C, n]` float32. Raises ValueError on a part of a sample."""
    if len(data) % (2 * channels):
        raise ValueError(f"16-bit PCM of {channels} channels comes in {2 * channels} bytes each")
    samples = np.frombuffer(data, dtype="<i2").reshape(-1, channels).T
    return torch.from_numpy(samples.astype(np.float32) / 32768)


def wav_header(sample_rate: int, channels: int, samples: int | None = None) -> bytes:
    """The 44 bytes before 16-bit samples; of unknown length, both sizes are 0xFFFFFFFF."""
    block = 2 * channels
    size = None if samples is None else samples * block
    whole, data = (UNKNOWN, UNKNOWN) if size is None or size + 36 > UNKNOWN else (size + 36, size)
    form = struct.pack("<HHIIHH", 1, channels, sample_rate, sample_rate * block, block, 16)
    riff = b"RIFF" + struct.pack("<I", whole) + b"WAVEfmt " + struct.pack("<I", len(form)) + form
    return riff + b"data" + struct.pack("<I", data)


class PcmEncoder:
    """16-bit samples, after a header if there is one."""

    def __init__(self, header: bytes = b"") -> None:
        self._header = header

    def write(self, audio: Tensor) -> bytes:
        """As `AudioEncoder.write`."""
        data, self._header = self._header + as_pcm(audio), b""
        return data

    def finish(self) -> bytes:
        """The header, where there was no audio at all."""
        data, self._header = self._header, b""
        return data


class WholePcmEncoder:
    """16-bit samples, given out at the end behind a header with their number."""

    def __init__(self, sample_rate: int, channels: int, *, header: bool) -> None:
        self._rate, self._channels, self._header = sample_rate, channels, header
        self._parts: list[bytes] = []

    def write(self, audio: Tensor) -> bytes:
        """Nothing yet."""
        self._parts.append(as_pcm(audio))
        return b""

    def finish(self) -> bytes:
        """All of it."""
        samples = sum(map(len, self._parts)) // (2 * self._channels)
        head = wav_header(self._rate, self._channels, samples) if self._header else b""
        return b"".join([head, *self._parts])


class CompressedEncoder:
    """One container and one codec by PyAV. `seekable`: the length is written at the beginning, and
    `finish` alone gives bytes. Raises ValueError on a rate that the codec does not have.
    """

    def __init__(
        self, format: str, sample_rate: int, channels: int, *, seekable: bool = False
    ) -> None:
        av: Any = imported("av", "serve")
        container, codec, rate = _CODECS[format]
        self._out: _Pipe | io.BytesIO = io.BytesIO() if seekable else _Pipe()
        self._seekable, self._rate, self._samples = seekable, sample_rate, 0
        self._layout = {1: "mono", 2: "stereo"}.get(channels)
        if self._layout is None:
            raise ValueError(f"{format} is made of 1 or 2 channels here, not {channels}: ask wav")
        options = {"write_xing": "1" if seekable else "0"} if format == "mp3" else {}
        options |= {"page_duration": "20000"} if format == "opus" else {}
        self._av = av
        self._container = av.open(self._out, "w", format=container, options=options)
        try:
            self._stream = self._container.add_stream(codec, rate=sample_rate, layout=self._layout)
            if rate is not None:
                self._stream.bit_rate = rate * channels
            self._stream.codec_context.open()
        except (ValueError, OSError, av.error.FFmpegError) as error:
            raise ValueError(f"{format} does not take {sample_rate} Hz: ask for wav") from error

    def write(self, audio: Tensor) -> bytes:
        """As `AudioEncoder.write`."""
        if audio.shape[1]:
            samples = np.ascontiguousarray(audio.float().clamp(-1, 1).numpy())
            frame = self._av.AudioFrame.from_ndarray(samples, format="fltp", layout=self._layout)
            frame.sample_rate, frame.pts = self._rate, self._samples
            self._samples += audio.shape[1]
            self._container.mux(self._stream.encode(frame))
        return self._taken()

    def finish(self) -> bytes:
        """What the codec held back, and the end of the file."""
        if self._samples:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._out.getvalue() if isinstance(self._out, io.BytesIO) else self._out.take()

    def _taken(self) -> bytes:
        return self._out.take() if isinstance(self._out, _Pipe) else b""


class _Pipe:
    """A file that can be written and not sought; `take` empties it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data

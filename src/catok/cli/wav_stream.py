"""Audio on standard output while it is made: WAV of unknown length, or bare samples."""

import struct
from types import TracebackType
from typing import BinaryIO

from torch import Tensor

_UNKNOWN = 0xFFFFFFFF  # what players take for "until the stream ends"


class WavStreamWriter:
    """Context that writes audio `[C, n]` to a pipe at once, as 16-bit little-endian PCM.

    `raw` leaves out the WAV header.
    """

    def __init__(self, stream: BinaryIO, sample_rate: int, channels: int, *, raw: bool) -> None:
        self._stream = stream
        self._head = b"" if raw else wav_header(sample_rate, channels)
        self.samples = 0

    def write(self, audio: Tensor) -> None:
        """Float audio, clipped to [-1, 1]; what is written can be heard when this returns."""
        scaled = (audio.float().clamp(-1, 1) * 32767).round().short()
        self._stream.write(self._head + scaled.T.contiguous().numpy().astype("<i2").tobytes())
        self._stream.flush()
        self._head = b""
        self.samples += audio.shape[1]

    def __enter__(self) -> "WavStreamWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.flush()


def wav_header(sample_rate: int, channels: int) -> bytes:
    """The 44 bytes before the samples of a 16-bit PCM WAV (RIFF) of unknown length."""
    block = 2 * channels
    form = struct.pack("<HHIIHH", 1, channels, sample_rate, sample_rate * block, block, 16)
    return (
        b"RIFF"
        + struct.pack("<I", _UNKNOWN)
        + b"WAVEfmt "
        + struct.pack("<I", len(form))
        + form
        + b"data"
        + struct.pack("<I", _UNKNOWN)
    )

"""RF64: a WAV file whose header counts its bytes with 64 bits (EBU Tech 3306)."""

import struct

from catok.audio.sink import Sink
from catok.audio.wav import layout_of

LARGEST_RIFF = (1 << 32) - 8  # bytes of a file that 32 bits can count
_ADDED = 8 + 28  # the chunk ds64
_BLOCK = 1 << 24


def as_rf64(file: Sink, size: int, samples: int) -> None:
    """Make a WAV file of `size` bytes, whose header could not count them, an RF64 file in place."""
    layout = layout_of(file, 0, size)  # type: ignore[arg-type]
    length = size - layout.start
    _shift(file, 12, size)
    file.seek(0)
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, size + _ADDED - 8, length, samples, 0)
    file.write(struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE") + ds64)
    file.seek(layout.start + _ADDED - 4)
    file.write(struct.pack("<I", 0xFFFFFFFF))


def _shift(file: Sink, start: int, end: int) -> None:
    """Move what lies between two places, from the last block to the first."""
    while end > start:
        begin = max(start, end - _BLOCK)
        file.seek(begin)
        block = file.read(end - begin)
        file.seek(begin + _ADDED)
        file.write(block)
        end = begin

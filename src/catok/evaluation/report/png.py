"""Pictures of few colours as PNG (W3C Portable Network Graphics, third edition), by hand."""

import struct
import zlib

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE_DEPTH = (8, 3, 0, 0, 0)  # 8 bits, indexed colour, deflate, no filter, not interlaced
_STOPS = np.array(  # dark blue to light yellow, even in lightness
    [(6, 8, 24), (43, 20, 92), (112, 31, 110), (186, 54, 85), (240, 112, 32), (252, 246, 180)]
)


def palette(colours: int) -> np.ndarray:
    """So many colours from dark to light, uint8 `[colours, 3]`."""
    places = np.linspace(0, len(_STOPS) - 1, colours)
    channels = [np.interp(places, range(len(_STOPS)), _STOPS[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def png(levels: np.ndarray, colours: int) -> bytes:
    """A picture of levels `[height, width]` from 0 to colours - 1, at most 256.

    Raises ValueError for other levels or an empty picture.
    """
    if not 2 <= colours <= 256 or levels.ndim != 2 or levels.size == 0:
        raise ValueError(f"expected levels [height, width] of 2 to 256, got {levels.shape}")
    if levels.min() < 0 or levels.max() >= colours:
        raise ValueError(f"levels must lie in [0, {colours})")
    height, width = levels.shape
    lines = np.zeros((height, width + 1), dtype=np.uint8)  # each begins with its filter: none
    lines[:, 1:] = levels
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, *_PALETTE_DEPTH)),
        (b"PLTE", palette(colours).tobytes()),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

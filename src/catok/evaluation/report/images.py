"""Mel spectrograms as small PNG pictures with axes, all of one recording on one scale.

Pictures of few colors are written as PNG (W3C Portable Network Graphics, third edition) here.
"""

import math
import struct
import zlib

import numpy as np
import torch
from torch import Tensor

from catok.audio import mix
from catok.evaluation.report.html import data_url, tag, void_tag
from catok.modules.mel import hz_to_mel, mel_filters
from catok.modules.stft import stft_magnitude

MELS, WIDTH = 80, 280  # pixels
RANGE_DB = 70.0  # below the loudest place of the original
NUM_COLORS = 40
KHZ = (0.5, 1, 2, 4, 8, 16)  # of ticks
_WINDOW_SECONDS = 0.064
_LEFT, _TOP, _BOTTOM, _HEIGHT = 32, 16, 19, 108  # of the picture in its frame, in units of a pixel
_FRAME = (_LEFT + WIDTH + 10, _TOP + _HEIGHT + _BOTTOM)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE_DEPTH = (8, 3, 0, 0, 0)  # 8 bits, indexed color, deflate, no filter, not interlaced
_STOPS = np.array(  # dark blue to light yellow, even in lightness
    [(6, 8, 24), (43, 20, 92), (112, 31, 110), (186, 54, 85), (240, 112, 32), (252, 246, 180)]
)


def mel_levels(audio: Tensor, sample_rate: int) -> Tensor:
    """Mel powers in dB, low frequencies first: `[MELS, at most WIDTH]` of audio `[C, T]`."""
    window = 2 ** max(6, round(math.log2(_WINDOW_SECONDS * sample_rate)))
    mono = mix(audio, 1)
    mono = torch.nn.functional.pad(mono, (0, max(0, window - mono.shape[1])))
    filters, _ = mel_filters(sample_rate, window, MELS)
    power = (stft_magnitude(mono, window)[0].square() @ filters).T
    if power.shape[1] > WIDTH:
        power = torch.nn.functional.adaptive_avg_pool1d(power[None], WIDTH)[0]
    return 10 * power.clamp(min=1e-12).log10()


def spectrogram_png(levels: Tensor, loudest: float) -> bytes:
    """A PNG of what `mel_levels` gives; `loudest` in dB is the lightest color."""
    scaled = (levels.flip(0) - (loudest - RANGE_DB)) / RANGE_DB * NUM_COLORS
    return png(scaled.clamp(0, NUM_COLORS - 1).numpy().astype(np.uint8), NUM_COLORS)


def relative_height(hz: float, sample_rate: int) -> float:
    """Where a frequency is in the picture: 0 its bottom, 1 its top.

    The middle of mel band m, from 0, is m + 1 of MELS + 1 steps to half the sample rate.
    """
    mel, top = hz_to_mel(torch.tensor([hz, sample_rate / 2], dtype=torch.float64)).tolist()
    return (mel / top * (MELS + 1) - 0.5) / MELS


def framed_spectrogram(image: bytes, name: str, sample_rate: int, seconds: float) -> str:
    """The picture in a frame with axes: kHz upwards, seconds to the right."""
    width, height = _FRAME
    bottom = _TOP + _HEIGHT
    parts = [tag("text", "kHz", x=2, y=12, class_="unit")]
    for khz in KHZ:
        share = relative_height(1000 * khz, sample_rate)
        if share < 0.95:
            at = round(bottom - share * _HEIGHT, 1)
            parts.append(tag("line", x1=_LEFT - 4, x2=_LEFT, y1=at, y2=at))
            parts.append(
                tag("text", f"{khz:g}", x=_LEFT - 7, y=round(at + 4, 1), text_anchor="end")
            )
    for second in time_ticks(seconds):
        at = round(_LEFT + second / seconds * WIDTH, 1)
        label = f"{second:g} s" if second == 0 else f"{second:g}"
        parts.append(tag("line", x1=at, x2=at, y1=bottom, y2=bottom + 4))
        parts.append(tag("text", label, x=at, y=bottom + 16, text_anchor="middle"))
    axes = tag("svg", "".join(parts), viewBox=f"0 0 {width} {height}", aria_hidden="true")
    place = (_LEFT / width, _TOP / height, WIDTH / width, _HEIGHT / height)
    style = "left:{:.3%};top:{:.3%};width:{:.3%};height:{:.3%}".format(*place)
    shown = void_tag(
        "img",
        src=data_url("image/png", image),
        alt=f"Spectrogram of {name}",
        style=style,
        loading="lazy",
    )
    return tag("span", axes + shown, class_="spectrogram")


def time_ticks(seconds: float) -> list[float]:
    """Seconds to write below a picture so long: from 0, at most 7 of them."""
    step = next(s for s in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0) if seconds / s <= 7)
    return [round(n * step, 1) for n in range(int(seconds / step + 1e-9) + 1)]


def palette(num_colors: int) -> np.ndarray:
    """Colors from dark to light, uint8 `[num_colors, 3]`."""
    places = np.linspace(0, len(_STOPS) - 1, num_colors)
    channels = [np.interp(places, range(len(_STOPS)), _STOPS[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def png(levels: np.ndarray, num_colors: int) -> bytes:
    """A picture of levels `[height, width]` from 0 to num_colors - 1, at most 256.

    Raises ValueError for other levels or an empty picture.
    """
    if not 2 <= num_colors <= 256 or levels.ndim != 2 or levels.size == 0:
        raise ValueError(f"expected levels [height, width] of 2 to 256, got {levels.shape}")
    if levels.min() < 0 or levels.max() >= num_colors:
        raise ValueError(f"levels must lie in [0, {num_colors})")
    height, width = levels.shape
    lines = np.zeros((height, width + 1), dtype=np.uint8)  # each begins with its filter: none
    lines[:, 1:] = levels
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, *_PALETTE_DEPTH)),
        (b"PLTE", palette(num_colors).tobytes()),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

"""Codec 2 (codec2.org): parametric speech coding at 8 kHz, with the programs c2enc and c2dec."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from catok.evaluation.systems import programs
from catok.evaluation.systems.base import Output, convert, restore

_RATE = 8_000  # Hz


@dataclass(frozen=True)
class Codec2Mode:
    """One mode: `bits` per frame of `samples`, and its `delay` in samples at 8 kHz.

    The decoded waveform keeps no phase, so that there is no delay exact to the sample. These shifts
    gave the highest STOI (in steps of 10 samples) for most of ten recordings of speech in five
    languages with version 1.0.5: 20 ms, and 30 ms for 700C. Single recordings differ by 1 to 6 ms.
    """

    bits: int
    samples: int
    delay: int


MODES = {
    "3200": Codec2Mode(64, 160, 160),
    "2400": Codec2Mode(48, 160, 160),
    "1600": Codec2Mode(64, 320, 160),
    "1200": Codec2Mode(48, 320, 160),
    "700C": Codec2Mode(28, 320, 240),
}


class Codec2:
    """Codec 2 in the given `modes`, which are bits per second; for speech only.

    `bits` counts the bits that the mode sends per frame (28 for 700C), not the padding to whole
    bytes that c2enc writes. Frames are as many as the recording and the delay need, since the last
    ones bring the recording's end. The start of the programs counts into the times.

    Raises ValueError when a program is missing or a mode unknown.
    """

    name = "codec2"

    def __init__(self, modes: Sequence[str] = ("3200", "2400", "1600", "1200", "700C")) -> None:
        programs.require("codec2", "c2enc", "c2dec")
        self.settings = tuple(dict.fromkeys(modes))
        unknown = [mode for mode in self.settings if mode not in MODES]
        if unknown or not self.settings:
            raise ValueError(f"Codec 2 has the modes {', '.join(MODES)}, not {unknown}")

    def run(self, audio: Tensor, sample_rate: int) -> Iterator[Output]:
        """See `System.run`."""
        given = convert(audio, sample_rate, _RATE, 1)[0].clamp(-1, 1)
        for setting in self.settings:
            mode = MODES[setting]
            frames = -(-(len(given) + mode.delay) // mode.samples)
            padded = torch.nn.functional.pad(given, (0, frames * mode.samples - len(given)))
            decoded, encode_seconds, decode_seconds = _code(padded, setting)
            yield Output(
                setting,
                restore(decoded[None, mode.delay :], _RATE, audio, sample_rate),
                bits=frames * mode.bits,
                encode_seconds=encode_seconds,
                decode_seconds=decode_seconds,
            )


def _code(audio: Tensor, mode: str) -> tuple[Tensor, float, float]:
    """Audio `[T]`, whole frames -> decoded `[T]`, and the seconds of encoding and decoding.

    Raises ValueError when c2enc wrote another number of frames.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, encoded, decoded = (Path(folder, name) for name in ("a.raw", "b.bin", "c.raw"))
        source.write_bytes((audio.numpy() * 32767).round().astype("<i2").tobytes())
        encoding = programs.run("c2enc", mode, str(source), str(encoded))
        decoding = programs.run("c2dec", mode, str(encoded), str(decoded))
        samples = np.frombuffer(decoded.read_bytes(), "<i2").astype(np.float32) / 32768
        size = encoded.stat().st_size
    expected = len(audio) // MODES[mode].samples * -(-MODES[mode].bits // 8)
    if size != expected or len(samples) != len(audio):
        raise ValueError(
            f"c2enc {mode} wrote {size} bytes and c2dec {len(samples)} samples where {expected} "
            f"and {len(audio)} were due: is it version 1.0 or newer?"
        )
    return torch.from_numpy(samples), encoding, decoding

"""Opus (RFC 6716), mono, with the programs of opus-tools or with libsndfile."""

import io
import math
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import soundfile
import torch
from torch import Tensor

from catok.audio import load_audio, save_audio
from catok.evaluation.systems import programs
from catok.evaluation.systems.base import Output, convert, restore, timed

_RATE = 48_000  # Hz; what Opus works at inside
_HEADERS = 2  # packets of an Ogg Opus file that hold no audio (RFC 7845)
_LOWEST, _HIGHEST = 6.0, 256.0  # kbps per channel that both encoders take
_BLOCK = 1 << 16  # samples per write: libsndfile fails on very large ones


class Opus:
    """Opus with the encoder's own defaults: variable bitrate, 20 ms frames, speech or music found.

    `bitrates` in kbps are targets; `bits` is what the packets really took, Ogg pages and headers
    left out. The delay is trimmed by the decoder. `coder` "opusenc" runs the programs opusenc and
    opusdec, whose starts count into the times; "soundfile" needs no program, but holds its target
    more strictly. Recordings are mixed to mono and come back with their channels.

    Raises ValueError when a program is missing or a bitrate is out of range.
    """

    def __init__(
        self,
        bitrates: Sequence[str | float] = (6, 12, 24),
        *,
        coder: Literal["opusenc", "soundfile"] = "opusenc",
    ) -> None:
        if coder == "opusenc":
            try:
                programs.require("opus-tools", "opusenc", "opusdec")
            except ValueError as error:
                raise ValueError(f'{error}, or use "opus-soundfile"') from error
        self.name = "opus" if coder == "opusenc" else "opus-soundfile"
        self.coder = coder
        self.kbps = tuple(dict.fromkeys(_check(rate) for rate in bitrates))
        if not self.kbps:
            raise ValueError('no bitrates given for opus: write some, such as "opus:6,12"')
        self.settings = tuple(f"{rate:g} kbps" for rate in self.kbps)

    def run(self, audio: Tensor, sample_rate: int) -> Iterator[Output]:
        """See `System.run`."""
        given = convert(audio, sample_rate, _RATE, 1)
        code = _with_programs if self.coder == "opusenc" else _with_soundfile
        for kbps, setting in zip(self.kbps, self.settings, strict=True):
            decoded, data, encode_seconds, decode_seconds = code(given, kbps)
            yield Output(
                setting,
                restore(decoded, _RATE, audio, sample_rate),
                bits=8 * sum(packet_sizes(data)[_HEADERS:]),
                encode_seconds=encode_seconds,
                decode_seconds=decode_seconds,
            )


def _with_programs(audio: Tensor, kbps: float) -> tuple[Tensor, bytes, float, float]:
    """Decoded audio, the Ogg file, and the seconds of encoding and decoding."""
    with tempfile.TemporaryDirectory() as folder:
        source, encoded, decoded = (
            str(Path(folder, name)) for name in ("a.wav", "b.opus", "c.wav")
        )
        save_audio(source, audio, _RATE, subtype="PCM_24")
        encoding = programs.run("opusenc", "--quiet", "--bitrate", f"{kbps:g}", source, encoded)
        decoding = programs.run(
            "opusdec", "--quiet", "--float", "--rate", str(_RATE), encoded, decoded
        )
        return load_audio(decoded)[0], Path(encoded).read_bytes(), encoding, decoding


def _with_soundfile(audio: Tensor, kbps: float) -> tuple[Tensor, bytes, float, float]:
    """The same in memory. libsndfile knows a compression level from 0 (256 kbps) to 1 (6 kbps)."""
    level = (_HIGHEST - kbps) / (_HIGHEST - _LOWEST)

    def encode() -> bytes:
        target = io.BytesIO()
        kind = {"format": "OGG", "subtype": "OPUS", "compression_level": level}
        with soundfile.SoundFile(target, "w", _RATE, audio.shape[0], **kind) as file:
            for block in audio.split(_BLOCK, dim=1):
                file.write(block.T.contiguous().numpy())
        return target.getvalue()

    try:
        data, encode_seconds = timed(encode)
    except (TypeError, soundfile.SoundFileError) as error:
        raise ValueError(
            f"soundfile cannot write Opus at a bitrate ({error}): pip install 'soundfile>=0.13'"
        ) from error
    (samples, _), decode_seconds = timed(
        lambda: soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    )
    return torch.from_numpy(samples.T.copy()), data, encode_seconds, decode_seconds


def _check(rate: str | float) -> float:
    try:
        kbps = float(rate)
    except ValueError:
        kbps = math.nan
    if not _LOWEST <= kbps <= _HIGHEST:
        raise ValueError(f"Opus takes {_LOWEST:g} to {_HIGHEST:g} kbps, not {rate!r}")
    return kbps


_HEADER = 27  # bytes of a page before its segment table
_FULL = 255  # a segment of this size continues its packet in the next one


def packet_sizes(data: bytes) -> list[int]:
    """Bytes of every packet, in order, of an Ogg file with one stream, its header packets too.

    Raises ValueError when it is cut short or not Ogg.
    """
    sizes: list[int] = []
    position = size = 0
    while position < len(data):
        if data[position : position + 4] != b"OggS" or len(data) < position + _HEADER:
            raise ValueError(f"no Ogg page at byte {position}: the file is damaged, make it again")
        table = position + _HEADER
        segments = data[table : table + data[position + 26]]
        position = table + len(segments) + sum(segments)
        if position > len(data):
            raise ValueError("the Ogg file is cut short: make it again")
        for segment in segments:
            size += segment
            if segment < _FULL:
                sizes.append(size)
                size = 0
    return sizes

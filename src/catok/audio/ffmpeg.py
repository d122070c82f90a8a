"""What libsndfile does not know (AAC, MP4, WebM, WMA, ...), by PyAV or the ffmpeg program.

Both are optional. Neither may do more than decode the one file: playlists and network protocols,
which would open others, are shut out.
"""

import shlex
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from catok.audio.resampling import check_header
from catok.audio.source import Source

if TYPE_CHECKING:
    from catok.audio.decoding import Decoder

FORMATS = (  # FFmpeg's names of containers
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,matroska,webm,mov,mp4,"
    "m4a,3gp,3g2,mj2,mp3,mpc,mpc8,nistsphere,ogg,rm,shn,tta,voc,w64,wav,wv"
)
_PADDING = 0.2  # seconds by which a container may overstate its length
_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file,pipe"}


def open_with_ffmpeg(source: Source, reason: str) -> "Decoder":
    """A decoder for what libsndfile refused for `reason`.

    Raises ValueError where neither PyAV nor ffmpeg is there, or where it does not know the file
    either.
    """
    if find_spec("av") is not None:
        return PyavDecoder(source, reason)
    program = shutil.which("ffmpeg")
    if program is not None:
        return ProgramDecoder(program, source, reason)
    line = shlex.join(["ffmpeg", "-i", source.name, f"{source.name}.wav"])
    raise ValueError(
        f"{source.name} is not audio that can be read ({reason}; PyAV and ffmpeg, which read AAC, "
        f"MP4, WebM and WMA, are not installed): convert it to WAV or FLAC, for example by\n{line}"
    )


def _refused(source: Source, reason: str, error: object) -> ValueError:
    return ValueError(
        f"{source.name} is not audio that can be read ({reason.rstrip('.')}; ffmpeg: {error}): "
        "convert it to WAV or FLAC"
    )


class _Sequential:
    """What both decoders share: no seeking, lengths by counting."""

    sample_rate: int
    channels: int

    def __init__(self, source: Source) -> None:
        self._source = source
        self.notes: list[str] = []

    def _decoded_blocks(self) -> Iterator[np.ndarray]:
        raise NotImplementedError

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        """See `Decoder`. Decodes from the file's beginning, as seeking would be inexact."""
        position = 0
        self.notes.clear()
        for block in self._decoded_blocks():
            before = max(0, start - position)
            position += len(block)
            if before < len(block):
                yield block[before:]

    def samples(self) -> int:
        """See `Decoder`."""
        return sum(map(len, self._decoded_blocks()))

    def close(self) -> None:
        """See `Decoder`."""


class PyavDecoder(_Sequential):
    """A `Decoder` by PyAV: the file's first stream of audio."""

    def __init__(self, source: Source, reason: str) -> None:
        super().__init__(source)
        with self._opened(reason) as (_, stream):
            self.sample_rate, self.channels = stream.rate or 0, stream.channels or 0
        if not self.sample_rate or not self.channels:  # FFmpeg takes noise for MP3
            raise _refused(source, reason, "no audio in it")
        check_header(self.sample_rate, self.channels, source.name)

    @contextmanager
    def _opened(self, reason: str = "libsndfile does not know it") -> Iterator[Any]:
        import av
        from av.error import FFmpegError

        self._source.file.seek(0)
        try:
            container = av.open(self._source.file, options=_OPTIONS)
        except (FFmpegError, OSError, ValueError) as error:
            raise _refused(self._source, reason, getattr(error, "strerror", error)) from error
        with container:
            if not container.streams.audio:
                raise _refused(self._source, reason, "no audio in it")
            yield container, container.streams.audio[0]

    def _decoded_blocks(self) -> Iterator[np.ndarray]:
        import av
        from av.error import FFmpegError

        damaged, length, stated = 0, 0, None
        with self._opened() as (container, stream):
            layout = stream.layout.name
            stated = _stated_seconds(container, stream)
            resampler = av.AudioResampler(format="flt", layout=layout, rate=self.sample_rate)
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets, None)
                except (FFmpegError, OSError, ValueError) as error:
                    self.notes.append(f"it cannot be read to its end ({error})")
                    packet = None
                try:
                    frames = packet.decode() if packet is not None else []
                except (FFmpegError, OSError, ValueError):
                    damaged += 1
                    continue
                for frame in [*frames, None] if packet is None else frames:
                    for part in resampler.resample(frame):
                        block = part.to_ndarray().reshape(-1, self.channels)
                        length += len(block)
                        yield block
                if packet is None:
                    break
        seconds = length / self.sample_rate
        if stated is not None and seconds < 0.97 * stated - _PADDING:
            self.notes.append(f"{seconds:.2f} of {stated:.2f} s can be read")
        if damaged:
            self.notes.append(f"{damaged} of its packets are damaged and left out")


def _stated_seconds(container: Any, stream: Any) -> float | None:
    """Length by the container, where that has an index and does not guess."""
    if not container.format.name.startswith(("mov", "matroska", "asf")):
        return None
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if len(container.streams) != 1 or container.duration is None:
        return None
    return float(container.duration) / 1e6


class ProgramDecoder(_Sequential):
    """A `Decoder` by the ffmpeg program, which writes WAV to a pipe."""

    def __init__(self, program: str, source: Source, reason: str) -> None:
        super().__init__(source)
        self._program, self._reason = program, reason
        with self._running() as (output, errors):
            try:
                self.sample_rate, self.channels = _header(output)
            except ValueError as error:
                errors.seek(0)
                lines = errors.read().decode(errors="replace").strip().splitlines()
                raise _refused(source, reason, lines[-1] if lines else error) from error
        check_header(self.sample_rate, self.channels, source.name)

    @contextmanager
    def _running(self) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        """Its output, and its messages."""
        with tempfile.NamedTemporaryFile() as copy, tempfile.TemporaryFile() as errors:
            path = self._source.path
            if path is None:
                self._source.file.seek(0)
                shutil.copyfileobj(self._source.file, copy)
                copy.flush()
                path = copy.name
            options = [word for k, v in _OPTIONS.items() for word in (f"-{k}", v)]
            command = [self._program, "-nostdin", "-v", "error", *options, "-i", f"file:{path}"]
            command += ["-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "pipe:1"]
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )
            assert process.stdout is not None
            try:
                yield process.stdout, errors  # type: ignore[misc]
            finally:
                process.stdout.close()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(1)
                process.kill()
                process.wait()

    def _decoded_blocks(self) -> Iterator[np.ndarray]:
        with self._running() as (output, errors):
            _header(output)
            width = 4 * self.channels
            left = b""
            while data := output.read(width << 14):
                data = left + data
                whole = len(data) // width * width
                left = data[whole:]
                yield np.frombuffer(data[:whole], dtype="<f4").reshape(-1, self.channels)
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
            if lines:
                self.notes.append(f"ffmpeg says of it: {lines[0]}")


def _header(output: BinaryIO) -> tuple[int, int]:
    """Rate and channels from the head of a WAV stream, whose samples then follow."""
    if len(head := output.read(12)) < 12 or head[8:] != b"WAVE":
        raise ValueError("it gives no audio")
    rate = channels = 0
    while len(head := output.read(8)) == 8 and head[:4] != b"data":
        body = output.read(struct.unpack("<I", head[4:])[0])
        if head[:4] == b"fmt ":
            channels, rate = struct.unpack("<HI", body[2:8])
    return rate, channels

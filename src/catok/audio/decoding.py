"""Decode a file from its first sample to its last, and notice where it falls short.

Decoders give blocks `[n, C]` of float32 as the file has them. One file may hold several recordings
(see `ogg`, `mpeg`, `wav`), each with its own decoder.
"""

import os
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import soundfile

from catok.audio.ffmpeg import open_with_ffmpeg
from catok.audio.mixing import VORBIS_ORDER
from catok.audio.mpeg import begins_as_mpeg, mpeg_parts
from catok.audio.ogg import ogg_parts
from catok.audio.parts import Part
from catok.audio.resampling import check_header
from catok.audio.source import Source
from catok.audio.splice import Splice
from catok.audio.wav import wav_parts

PIECE = 1 << 12  # samples decoded at once, so that damage is told from what lies before it
_MOST_PARTS = 1000
_UNREAD = 1 << 14  # bytes after the last sample that may be tags, or read ahead
_PLAUSIBLE = 1 << 13  # samples per byte of a file: nothing that is audio is smaller
_PREROLL = 20_000  # samples that MP3 (16 frames) and Opus (80 ms) want to have met before a place
_WITH_MEMORY = ("MP3", "OGG")


class Decoder(Protocol):
    """One recording. `notes`: what is missing from it, complete once it has been read."""

    sample_rate: int
    channels: int
    notes: list[str]

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        """From sample `start` to the end. Raises ValueError where it cannot go on."""
        ...

    def samples(self) -> int:
        """How many there are; decodes all of them where no header can be trusted."""
        ...

    def close(self) -> None:
        """Free what it holds, but not the file."""
        ...


class UnknownFormat(ValueError):
    """Nothing that libsndfile reads."""


def open_decoders(source: Source) -> list[Decoder]:
    """The recordings of a file in their order, at least one; the source must stay open.

    Raises ValueError where the file is not audio or its header makes no sense.
    """
    file, size = source.file, source.size
    parts = wav_parts(file, size) or ogg_parts(file, size)
    if parts is None and begins_as_mpeg(file, size):
        parts = mpeg_parts(file, 0, size)
    try:
        return _decoders(parts or [Part(Splice(file, [(0, size)]))], source)
    except UnknownFormat as error:
        parts = None if parts else mpeg_parts(file, 0, size)  # it may begin with something else
        if parts:
            return _decoders(parts, source)
        return [open_with_ffmpeg(source, str(error))]


def _decoders(parts: list[Part], source: Source) -> list[Decoder]:
    if len(parts) > _MOST_PARTS:
        raise ValueError(f"{source.name} holds more than {_MOST_PARTS} recordings: split it")
    name = source.name
    decoders: list[Decoder] = [
        SoundfileDecoder(
            parts[0], name, source.path if parts[0].whole and len(parts) == 1 else None
        )
    ]
    for number, part in enumerate(parts[1:], start=2):
        try:
            decoders.append(SoundfileDecoder(part, name))
        except ValueError as error:
            decoders[-1].notes.append(f"its part {number} of {len(parts)} is left out ({error})")
    return decoders


class _SourceReader(soundfile.SoundFile):
    """Reads forward only: soundfile would seek after every block, which fails in FLAC files that
    do not state their length and disturbs the decoders of lossy formats."""

    def seekable(self) -> bool:
        return False


class SoundfileDecoder:
    """A `Decoder` by libsndfile. Raises UnknownFormat, or ValueError for an absurd header."""

    def __init__(self, part: Part, name: str, path: str | None = None) -> None:
        self.notes = list(part.notes)
        self._part, self._name, self._path = part, name, path
        self._reader = self._open()
        self.sample_rate, self.channels = self._reader.samplerate, self._reader.channels
        self.format = self._reader.format
        in_vorbis = self._reader.subtype in ("VORBIS", "OPUS")
        self._order = VORBIS_ORDER.get(self.channels) if in_vorbis else None
        check_header(self.sample_rate, self.channels, name)

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        """See `Decoder`."""
        position = self._go_to(start)
        while len(block := self._read(position)):
            before = max(0, start - position)
            position += len(block)
            if before < len(block):
                yield block[before:]
        self._check_end(position)

    def samples(self) -> int:
        """See `Decoder`."""
        return sum(map(len, self.blocks())) if self._stated is None else self._stated

    def close(self) -> None:
        """See `Decoder`."""
        self._reader.close()

    @property
    def _stated(self) -> int | None:
        """Samples by the header, None if it states none (libsndfile has a huge number then)."""
        stated = self._reader.frames
        return stated if stated <= self._part.stream.size * _PLAUSIBLE else None

    def _open(self) -> _SourceReader:
        self._part.stream.seek(0)
        try:
            source = self._part.stream if self._path is None else os.fsencode(self._path)
            reader = _SourceReader(source)  # type: ignore[arg-type]
        except (soundfile.SoundFileError, TypeError) as error:  # TypeError: headerless .raw
            self._check_file()
            reason = getattr(error, "error_string", str(error))
            raise UnknownFormat(reason) from error
        self._fresh = True
        return reader

    def _go_to(self, start: int) -> int:
        """Seek to `start` or somewhere before; gives the place."""
        target = max(0, start - (_PREROLL if self.format in _WITH_MEMORY else 0))
        if self._fresh and target == 0:
            self._fresh = False
            return 0
        try:
            if target:
                self._fresh = False
                return self._reader.seek(target)
        except soundfile.SoundFileError:
            pass
        self._reader.close()
        self._reader = self._open()
        self._fresh = False
        return 0

    def _read(self, position: int) -> np.ndarray:
        try:
            count = PIECE if self._stated is None else min(PIECE, self._stated - position)
            block = self._reader.read(max(0, count), dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            self._check_file()
            raise ValueError(
                f"{self._name} is damaged after {position} samples "
                f"({getattr(error, 'error_string', error)}): copy or export it again"
            ) from error
        self._check_file()
        return block if self._order is None else block[:, self._order]

    def _check_file(self) -> None:
        if self._part.stream.error is not None:
            raise self._part.stream.error

    def _check_end(self, position: int) -> None:
        """Note what a decoder passes over in silence."""
        stated, stream = self._stated, self._part.stream
        if stated is not None and position < stated and not self.notes:
            self.notes.append(f"it is cut short: {position} of {stated} samples are there")
        unread = stream.size - stream.farthest
        if unread > _UNREAD and self._path is None:
            self.notes.append(f"its last {unread} bytes are not read")

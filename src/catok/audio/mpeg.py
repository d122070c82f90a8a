"""MP3: its frames, whatever lies between them, and where one recording ends and another begins.

libmpg123 trusts the number of frames that a Xing header states, and guesses one where there is
none; both end the reading early in files that were joined, cut or written to a pipe. So frames are
counted here, and each recording is given to it under a header that is right.
"""

import re
import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from catok.audio.parts import Part, read_at
from catok.audio.splice import Piece, Splice

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KBPS = {  # by "is MPEG-1"
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_LAYER_III = 1
_CHUNK = 1 << 18  # bytes read at once
_FRAMES, _BYTES, _TOC, _QUALITY = 1, 2, 4, 8  # flags of a Xing header
_BEFORE_FIRST = 1 << 16  # bytes that may lie before the first frame, tags not counted
_MOST_FALSE = 50_000  # places that look like frames or are empty tags, in a row
_MARK = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xef]|ID3|TAG|APETAGEX", re.DOTALL)
_FEWEST, _SMALL = 3, 1 << 12  # frames that a file of more bytes must have to be MP3


@dataclass(frozen=True)
class _Frame:
    """A frame's header: its length in bytes, and what all frames of a recording share."""

    length: int
    kind: tuple[int, int]  # version and index of the rate
    mono: bool
    checked: bool  # a CRC of 2 bytes follows

    @property
    def side(self) -> int:
        """Bytes from the frame's start to where a Xing header would be (a CRC not counted)."""
        if self.kind[0] == 3:
            return 4 + (17 if self.mono else 32)
        return 4 + (9 if self.mono else 17)


def mpeg_parts(file: BinaryIO, start: int, end: int) -> list[Part] | None:
    """The MP3 recordings between two places of a file; None if no MP3 begins there.

    Bytes that are neither frames nor tags are passed over and noted, as are frames that a
    recording's header states and that are not there.
    """
    scan = _Scan(file, start, end)
    return [link.part(file) for link in scan.links] or None


def begins_as_mpeg(file: BinaryIO, end: int) -> bool:
    """Whether a file begins with MP3 frames, after tags and zeros at most."""
    position = 0
    while head := read_at(file, position, 1 << 12):
        if head[:3] == b"ID3" and len(head) >= 10:
            position += _id3_length(head)
        elif head[:1] == b"\0":
            position += len(head) - len(head.lstrip(b"\0"))
        else:
            frame = _frame(head[:4])
            following = _frame(read_at(file, position + frame.length, 4)) if frame else None
            return frame is not None and following is not None and frame.kind == following.kind
    return False


class _Scan:
    """Walks from frame to frame."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file, self._end = file, end
        self._buffer, self._origin = b"", start
        self.links: list[_MpegLink] = []
        self._walk(start)

    def _walk(self, position: int) -> None:
        first = position
        foreign = false = 0
        while position < self._end and false < _MOST_FALSE:
            tag = self._tag(position)
            if tag:
                position += tag
                false += 1
                continue
            frame = _frame(self._bytes(position, 4))
            if frame is not None and self._continues(position, frame):
                link = self._link(position, frame)
                link.foreign += foreign
                foreign = false = 0
                if position + frame.length <= self._end:
                    link.add(position, frame)
                else:
                    link.cut = True
                rest = self._trusted(position, link, frame)
                if rest:
                    link.add_rest(position + frame.length, rest)
                position += frame.length + rest
                continue
            following = self._sync(position + 1)
            foreign += following - position
            position = following
            false += 1
            if not self.links and foreign > _BEFORE_FIRST:
                return
        if self.links:
            self.links[-1].foreign += foreign + max(0, self._end - position)
        if sum(link.frames for link in self.links) < _FEWEST and position > first + _SMALL:
            self.links.clear()  # headers by chance in something else

    def _link(self, position: int, frame: _Frame) -> "_MpegLink":
        """The recording that a frame belongs to: a new one if it brings a Xing header."""
        xing = self._xing(position, frame)
        if not self.links or xing or self.links[-1].kind != frame.kind:
            self.links.append(_MpegLink(frame.kind, header=xing))
        return self.links[-1]

    def _trusted(self, position: int, link: "_MpegLink", frame: _Frame) -> int:
        """Bytes after a Xing header that states the size of just this file; else 0."""
        if not link.header or link.frames or not _stated_frames(link.header):
            return 0
        place = position + (_stated_bytes(link.header) or 0)
        for end in (place, place + frame.length):  # encoders differ on counting the header
            tail = self._tag(end) if end < self._end else 0
            if end > position + frame.length and end + tail == self._end:
                return end - position - frame.length
        return 0

    def _xing(self, position: int, frame: _Frame) -> bytes:
        data = self._bytes(position, frame.length)
        for offset in (frame.side, frame.side + 2):  # encoders differ on the place after a CRC
            if data[offset : offset + 4] in (b"Xing", b"Info"):
                return data
        return b""

    def _continues(self, position: int, frame: _Frame) -> bool:
        """Whether a frame's end meets another frame of its kind, a tag, or the end."""
        place = position + frame.length
        if place >= self._end - 3:
            return bool(self.links) or place == self._end
        following = _frame(self._bytes(place, 4))
        if following is not None:
            return following.kind == frame.kind or self._chained(place, following)
        return self._tag(place) > 0

    def _chained(self, place: int, frame: _Frame) -> bool:
        """Whether frames of another kind begin there."""
        following = _frame(self._bytes(place + frame.length, 4))
        return following is not None and following.kind == frame.kind

    def _tag(self, position: int) -> int:
        """Bytes of an ID3v2, ID3v1 or APE tag; 0 if there is none."""
        head = self._bytes(position, 32)
        if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 128:
            return _id3_length(head)
        if head[:3] == b"TAG" and self._end - position >= 128:
            ends = self._end - position == 128 or self._begins(position + 128)
            return 128 if ends else 0
        if head[:8] == b"APETAGEX" and len(head) == 32:
            size, _, flags = struct.unpack("<III", head[12:24])
            header = 32 if flags & 1 << 29 else 0
            return min(size, self._end) + header if header or size == 32 else 32
        return 0

    def _begins(self, position: int) -> bool:
        return _frame(self._bytes(position, 4)) is not None or bool(self._tag(position))

    def _sync(self, position: int) -> int:
        """The next place where a frame or a tag may begin."""
        while position < self._end:
            data = self._bytes(position, _CHUNK)
            mark = _MARK.search(data)
            if mark is not None:
                return position + mark.start()
            position += max(1, len(data) - 8)  # a mark may lie across the border
        return self._end

    def _bytes(self, position: int, count: int) -> bytes:
        count = max(0, min(count, self._end - position))
        offset = position - self._origin
        if offset < 0 or offset + count > len(self._buffer):
            self._buffer = read_at(self._file, position, max(_CHUNK, count))
            self._origin, offset = position, 0
        return self._buffer[offset : offset + count]


@dataclass
class _MpegLink:
    """The frames of one recording."""

    kind: tuple[int, int]
    header: bytes  # its frame with the Xing header, if it has one
    frames: int = 0  # without that one
    pieces: list[Piece] = field(default_factory=list)
    foreign: int = 0
    cut: bool = False
    trusted: bool = False  # its header is right
    _first: _Frame | None = None
    _start: bytes = b""

    def add(self, position: int, frame: _Frame) -> None:
        """Append a frame that lies at `position`."""
        if self.header and self._first is None:
            self._first = frame  # the header itself, which `part` writes anew
            return
        self._first = self._first or frame
        self.frames += 1
        last = self.pieces[-1] if self.pieces else None
        if isinstance(last, tuple) and sum(last) == position:
            self.pieces[-1] = (last[0], last[1] + frame.length)
        else:
            self.pieces.append((position, frame.length))

    def add_rest(self, position: int, length: int) -> None:
        """Append all frames that the header states."""
        self.trusted = True
        self.frames = _stated_frames(self.header)
        self.pieces.append((position, length))

    def part(self, file: BinaryIO) -> Part:
        """The recording under a header that states its frames."""
        notes = []
        stated = _stated_frames(self.header)
        whole = abs(stated - self.frames) <= 1  # some count the header
        if stated > self.frames and not whole:
            notes.append(f"it is cut short: {self.frames} of {stated} frames are there")
        elif self.cut:
            notes.append("it is cut short: its last frame is not whole")
        if self.foreign > 128:
            notes.append(f"{self.foreign} bytes between its frames are not audio")
        bytes_of = sum(piece[1] for piece in self.pieces if isinstance(piece, tuple))
        if self.header:
            header = _restated(self.header, self.frames, bytes_of, whole=whole)
        else:
            place = self.pieces[0][0] if self.pieces else 0
            header = _new_header(read_at(file, int(place), 4), self.frames, bytes_of)
        return Part(Splice(file, [header, *self.pieces]), tuple(notes), self.trusted)


def _id3_length(head: bytes) -> int:
    """Bytes of an ID3v2 tag: 7 bits of a number in each of four bytes, and perhaps a footer."""
    a, b, c, d = (byte & 127 for byte in head[6:10])
    return 10 + (a << 21 | b << 14 | c << 7 | d) + (10 if head[5] & 16 else 0)


def _frame(head: bytes) -> _Frame | None:
    """What four bytes say, if they are the header of an MP3 frame of stated bitrate."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer != _LAYER_III or bitrate in (0, 15) or rate == 3:
        return None
    if head[3] & 3 == 2:  # a reserved emphasis
        return None
    kbps, hertz = _KBPS[version == 3][bitrate], _RATES[version][rate]
    length = (144_000 if version == 3 else 72_000) * kbps // hertz + padding
    return _Frame(length, (version, rate), head[3] >> 6 == 3, not head[1] & 1)


def _xing_place(header: bytes) -> int:
    return max(header.find(b"Xing"), header.find(b"Info"))


def _stated_frames(header: bytes) -> int:
    place = _xing_place(header) if header else -1
    if place < 0 or not header[place + 7] & _FRAMES:
        return 0
    return struct.unpack(">I", header[place + 8 : place + 12])[0]


def _stated_bytes(header: bytes) -> int:
    place = _xing_place(header)
    if not header[place + 7] & _BYTES:
        return 0
    place += 12 if header[place + 7] & _FRAMES else 8
    return struct.unpack(">I", header[place : place + 4])[0]


def _restated(header: bytes, frames: int, length: int, *, whole: bool) -> bytes:
    """The Xing header with the numbers that are right; what it says of the delay stays.

    Where frames are missing from the end, no padding is there to be taken away.
    """
    place = _xing_place(header)
    flags = header[place + 7]
    if not flags & _FRAMES:
        return _new_header(header[:4], frames, length)
    new = bytearray(header)
    new[place + 8 : place + 12] = struct.pack(">I", frames)
    position = place + 12
    if flags & _BYTES:
        new[position : position + 4] = struct.pack(">I", min(length + len(header), 0xFFFFFFFF))
        position += 4
    position += (100 if flags & _TOC else 0) + (4 if flags & _QUALITY else 0)
    delay = position + 21  # 12 bits of delay, 12 of padding
    if not whole and delay + 3 <= len(new):
        new[delay + 1] &= 0xF0
        new[delay + 2] = 0
    return bytes(new)


def _new_header(first: bytes, frames: int, length: int) -> bytes:
    """A silent frame like a recording's first, with a Xing header that counts its frames."""
    for bitrate in range(1, 15):
        head = bytes([first[0], first[1] | 1, bitrate << 4 | first[2] & 0x0C, first[3]])
        frame = _frame(head)
        if frame is not None and frame.length >= frame.side + 16:
            xing = b"Xing" + struct.pack(
                ">III", _FRAMES | _BYTES, frames, min(length + frame.length, 0xFFFFFFFF)
            )
            return (head + bytes(frame.side - 4) + xing).ljust(frame.length, b"\0")
    raise AssertionError("no bitrate makes a frame of 192 bytes")

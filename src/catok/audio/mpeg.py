"""MP3: its frames, whatever lies between them, and where one recording ends and another begins.

libmpg123 trusts the number of frames that a Xing header states, and guesses one where there is
none; both end the reading early in files that were joined, cut or written to a pipe. So frames are
counted here, and each recording is given to it under a header that is right.
"""

import re
import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from catok.audio.mpeg_header import (
    MpegFrame,
    id3_length,
    new_header,
    parse_frame,
    restated,
    stated_bytes,
    stated_frames,
)
from catok.audio.parts import Part, read_at
from catok.audio.splice import Piece, Splice

_CHUNK = 1 << 18  # bytes read at once
_BEFORE_FIRST = 1 << 16  # bytes that may lie before the first frame, tags not counted
_MOST_FALSE = 50_000  # places that look like frames or are empty tags, in a row
_MARK = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xef]|ID3|TAG|APETAGEX", re.DOTALL)
_FEWEST, _SMALL = 3, 1 << 12  # frames that a file of more bytes must have to be MP3


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
            position += id3_length(head)
        elif head[:1] == b"\0":
            position += len(head) - len(head.lstrip(b"\0"))
        else:
            frame = parse_frame(head[:4])
            following = parse_frame(read_at(file, position + frame.length, 4)) if frame else None
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
            frame = parse_frame(self._bytes(position, 4))
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

    def _link(self, position: int, frame: MpegFrame) -> "_MpegLink":
        """The recording that a frame belongs to: a new one if it brings a Xing header."""
        xing = self._xing(position, frame)
        if not self.links or xing or self.links[-1].kind != frame.kind:
            self.links.append(_MpegLink(frame.kind, header=xing))
        return self.links[-1]

    def _trusted(self, position: int, link: "_MpegLink", frame: MpegFrame) -> int:
        """Bytes after a Xing header that states the size of just this file; else 0."""
        if not link.header or link.frames or not stated_frames(link.header):
            return 0
        place = position + (stated_bytes(link.header) or 0)
        for end in (place, place + frame.length):  # encoders differ on counting the header
            tail = self._tag(end) if end < self._end else 0
            if end > position + frame.length and end + tail == self._end:
                return end - position - frame.length
        return 0

    def _xing(self, position: int, frame: MpegFrame) -> bytes:
        data = self._bytes(position, frame.length)
        for offset in (frame.side, frame.side + 2):  # encoders differ on the place after a CRC
            if data[offset : offset + 4] in (b"Xing", b"Info"):
                return data
        return b""

    def _continues(self, position: int, frame: MpegFrame) -> bool:
        """Whether a frame's end meets another frame of its kind, a tag, or the end."""
        place = position + frame.length
        if place >= self._end - 3:
            return bool(self.links) or place == self._end
        following = parse_frame(self._bytes(place, 4))
        if following is not None:
            return following.kind == frame.kind or self._chained(place, following)
        return self._tag(place) > 0

    def _chained(self, place: int, frame: MpegFrame) -> bool:
        """Whether frames of another kind begin there."""
        following = parse_frame(self._bytes(place + frame.length, 4))
        return following is not None and following.kind == frame.kind

    def _tag(self, position: int) -> int:
        """Bytes of an ID3v2, ID3v1 or APE tag; 0 if there is none."""
        head = self._bytes(position, 32)
        if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 128:
            return id3_length(head)
        if head[:3] == b"TAG" and self._end - position >= 128:
            ends = self._end - position == 128 or self._begins(position + 128)
            return 128 if ends else 0
        if head[:8] == b"APETAGEX" and len(head) == 32:
            size, _, flags = struct.unpack("<III", head[12:24])
            header = 32 if flags & 1 << 29 else 0
            return min(size, self._end) + header if header or size == 32 else 32
        return 0

    def _begins(self, position: int) -> bool:
        return parse_frame(self._bytes(position, 4)) is not None or bool(self._tag(position))

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
    _first: MpegFrame | None = None
    _start: bytes = b""

    def add(self, position: int, frame: MpegFrame) -> None:
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
        self.frames = stated_frames(self.header)
        self.pieces.append((position, length))

    def part(self, file: BinaryIO) -> Part:
        """The recording under a header that states its frames."""
        notes = []
        stated = stated_frames(self.header)
        whole = abs(stated - self.frames) <= 1  # some count the header
        if stated > self.frames and not whole:
            notes.append(f"it is cut short: {self.frames} of {stated} frames are there")
        elif self.cut:
            notes.append("it is cut short: its last frame is not whole")
        if self.foreign > 128:
            notes.append(f"{self.foreign} bytes between its frames are not audio")
        bytes_of = sum(piece[1] for piece in self.pieces if isinstance(piece, tuple))
        if self.header:
            header = restated(self.header, self.frames, bytes_of, whole=whole)
        else:
            place = self.pieces[0][0] if self.pieces else 0
            header = new_header(read_at(file, int(place), 4), self.frames, bytes_of)
        return Part(Splice(file, [header, *self.pieces]), tuple(notes), self.trusted)

"""Headers in MP3 files: of frames, of ID3 tags, and the Xing header, which counts the frames."""

import struct
from dataclasses import dataclass

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KBPS = {  # by "is MPEG-1"
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_LAYER_III = 1
_FRAMES, _BYTES, _TOC, _QUALITY = 1, 2, 4, 8  # flags of a Xing header


@dataclass(frozen=True)
class MpegFrame:
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


def id3_length(head: bytes) -> int:
    """Bytes of an ID3v2 tag: 7 bits of a number in each of four bytes, and perhaps a footer."""
    a, b, c, d = (byte & 127 for byte in head[6:10])
    return 10 + (a << 21 | b << 14 | c << 7 | d) + (10 if head[5] & 16 else 0)


def parse_frame(head: bytes) -> MpegFrame | None:
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
    return MpegFrame(length, (version, rate), head[3] >> 6 == 3, not head[1] & 1)


def _xing_place(header: bytes) -> int:
    return max(header.find(b"Xing"), header.find(b"Info"))


def stated_frames(header: bytes) -> int:
    """The number of frames by a Xing header; 0 without one, and where it states none."""
    place = _xing_place(header) if header else -1
    if place < 0 or not header[place + 7] & _FRAMES:
        return 0
    return struct.unpack(">I", header[place + 8 : place + 12])[0]


def stated_bytes(header: bytes) -> int:
    """The size of the file by a Xing header; 0 where it states none."""
    place = _xing_place(header)
    if not header[place + 7] & _BYTES:
        return 0
    place += 12 if header[place + 7] & _FRAMES else 8
    return struct.unpack(">I", header[place : place + 4])[0]


def restated(header: bytes, frames: int, length: int, *, whole: bool) -> bytes:
    """The Xing header with the numbers that are right; what it says of the delay stays.

    Where frames are missing from the end, no padding is there to be taken away.
    """
    place = _xing_place(header)
    flags = header[place + 7]
    if not flags & _FRAMES:
        return new_header(header[:4], frames, length)
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


def new_header(first: bytes, frames: int, length: int) -> bytes:
    """A silent frame like a recording's first, with a Xing header that counts its frames."""
    for bitrate in range(1, 15):
        head = bytes([first[0], first[1] | 1, bitrate << 4 | first[2] & 0x0C, first[3]])
        frame = parse_frame(head)
        if frame is not None and frame.length >= frame.side + 16:
            xing = b"Xing" + struct.pack(
                ">III", _FRAMES | _BYTES, frames, min(length + frame.length, 0xFFFFFFFF)
            )
            return (head + bytes(frame.side - 4) + xing).ljust(frame.length, b"\0")
    raise AssertionError("no bitrate makes a frame of 192 bytes")

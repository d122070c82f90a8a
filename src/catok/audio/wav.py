"""WAV, RIFX, RF64 and BW64: where the samples lie, whatever the header says of their length;
and how a WAV file becomes an RF64, whose header counts its bytes with 64 bits (EBU Tech 3306).
"""

import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from catok.audio.mpeg import mpeg_parts
from catok.audio.parts import Part, read_at
from catok.audio.sink import Sink
from catok.audio.splice import Splice

LARGEST_RIFF = (1 << 32) - 8  # bytes of a file that 32 bits can count
_ADDED = 8 + 28  # bytes of the chunk ds64
_BLOCK = 1 << 24  # bytes that are moved at a time
_MAGICS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
_MP3 = 0x55  # format tag
_OPEN_ENDED, _SLACK = (1 << 31, 1 << 32), 1 << 12  # lengths that mean "not known", about
_MOST_CHUNKS = 10_000
_LONGEST_FORMAT = 1 << 12


@dataclass
class Layout:
    """What the chunks of a WAV file say."""

    order: str  # of bytes, for struct
    chunks: dict[bytes, bytes] = field(default_factory=dict)  # those that decoding needs
    start: int = -1  # of the samples
    stated: int = -1  # their bytes, as the header has it


def wav_parts(file: BinaryIO, size: int) -> list[Part] | None:
    """The recordings of a WAV file, usually one; None if it is no WAV.

    Samples go on to the end of the file where the header states no length (0, or 2 or 4 GiB from
    a program that wrote to a pipe) or one that 32 bits do not hold.
    """
    parts: list[Part] = []
    start = 0
    while _is_wav(file, start):
        layout = layout_of(file, start, size)
        if layout.start < 0:
            break
        length, note = _length(file, layout, size)
        end = layout.start + length
        notes = [note] if note else []
        follows = next((e for e in (end, end + 1) if _is_wav(file, e)), None)
        if follows is None and not _are_chunks(file, end, size, layout.order):
            notes.append(f"{size - end} bytes after its stated end are not read")
        parts += _as_parts(file, layout, length, notes)
        if follows is None:
            break
        start = follows
    return parts or None


def _is_wav(file: BinaryIO, start: int) -> bool:
    head = read_at(file, start, 12)
    return head[:4] in _MAGICS and head[8:] == b"WAVE"


def layout_of(file: BinaryIO, start: int, size: int) -> Layout:
    """Where the chunks of the WAV file that begins at `start` lie."""
    layout = Layout(">" if read_at(file, start, 4) == b"RIFX" else "<")
    position, wide = start + 12, 0
    for _ in range(_MOST_CHUNKS):
        head = read_at(file, position, 8)
        if len(head) < 8:
            break
        kind, length = struct.unpack(f"{layout.order}4sI", head)
        if kind == b"data":
            layout.start = position + 8
            layout.stated = wide if wide and length == 0xFFFFFFFF else length
            break
        if kind == b"ds64":
            wide = _wide_length(read_at(file, position + 8, 16))
        elif kind in (b"fmt ", b"fact"):
            layout.chunks[kind] = read_at(file, position + 8, min(length, _LONGEST_FORMAT))
        position = _next_chunk(file, position + 8 + length, length % 2)
    return layout


def _wide_length(ds64: bytes) -> int:
    return struct.unpack("<Q", ds64[8:16])[0] if len(ds64) == 16 else 0


def _next_chunk(file: BinaryIO, end: int, pad: int) -> int:
    """Chunks begin at even places, but some writers forget to pad."""
    if pad and _name_at(file, end) and not _name_at(file, end + 1):
        return end
    return end + pad


def _name_at(file: BinaryIO, place: int) -> bool:
    name = read_at(file, place, 4)
    return len(name) == 4 and all(32 <= byte < 127 for byte in name)


def _length(file: BinaryIO, layout: Layout, size: int) -> tuple[int, str]:
    """Bytes of samples, and a note if they are fewer than stated."""
    rest, stated = max(0, size - layout.start), layout.stated
    if stated == 0:
        return 0 if _are_chunks(file, layout.start, size, layout.order) else rest, ""
    unknown = any(abs(stated - value) <= _SLACK for value in _OPEN_ENDED)
    if stated <= rest:
        if _are_chunks(file, layout.start + stated, size, layout.order):
            return stated, ""
        lost = rest - stated >> 32 << 32  # as many times 4 GiB as 32 bits could not count
        return rest if unknown else stated + lost, ""
    if unknown:
        return rest, ""
    return rest, f"it is cut short: {rest} of {stated} bytes of samples are there"


def _are_chunks(file: BinaryIO, start: int, size: int, order: str) -> bool:
    """Whether the file goes on with chunks until its end, or a few bytes at most."""
    for _ in range(_MOST_CHUNKS):
        if size - start < 8:
            return True
        kind, length = struct.unpack(f"{order}4sI", read_at(file, start, 8))
        if not all(32 <= byte < 127 for byte in kind) or start + 8 + length > size:
            return False
        start = _next_chunk(file, start + 8 + length, length % 2)
    return False


def _as_parts(file: BinaryIO, layout: Layout, length: int, notes: list[str]) -> list[Part]:
    form = layout.chunks.get(b"fmt ", b"")
    tag = struct.unpack(f"{layout.order}H", form[:2])[0] if len(form) >= 2 else 0
    if tag == _MP3:
        inside = mpeg_parts(file, layout.start, layout.start + length)
        if inside:
            return [Part(part.stream, (*notes, *part.notes)) for part in inside]
    header = _header(layout, length)
    return [Part(Splice(file, [header, (layout.start, length)]), tuple(notes))]


def _header(layout: Layout, length: int) -> bytes:
    """A header that says what is there."""
    order = layout.order
    body = b"".join(
        struct.pack(f"{order}4sI", kind, len(data)) + data + bytes(len(data) % 2)
        for kind, data in layout.chunks.items()
    )
    total = 4 + len(body) + 8 + length
    if total < 0xFFFFFFFF:
        magic = b"RIFX" if order == ">" else b"RIFF"
        start = struct.pack(f"{order}4sI4s", magic, total, b"WAVE")
        return start + body + struct.pack(f"{order}4sI", b"data", length)
    wide = struct.pack("<4sIQQQI", b"ds64", 28, total + 36, length, 0, 0)
    start = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE")
    return start + wide + body + struct.pack("<4sI", b"data", 0xFFFFFFFF)


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

"""Ogg (Vorbis, Opus, FLAC): its chained recordings, and gaps between its pages."""

import struct
from typing import BinaryIO

from catok.audio.parts import Part, find, read_at
from catok.audio.splice import Piece, Splice

_MAGIC = b"OggS"
_HEADER = 27  # bytes before the table of segments
_MOST_FALSE = 50_000  # places in a row that look like pages and are none
_BEGINS, _ENDS = 2, 4  # flags of a stream's first and last page


def ogg_parts(file: BinaryIO, size: int) -> list[Part] | None:
    """The recordings of an Ogg file, one per link of its chain; None if it is no Ogg.

    What lies between pages is passed over and noted, as are pages that are missing.
    """
    if read_at(file, 0, 4) != _MAGIC:
        return None
    links = [_OggLink()]
    position = false = 0
    while position < size:
        head = read_at(file, position, _HEADER + 255)
        if head[:4] != _MAGIC or len(head) < _HEADER:
            false += 1
            following = find(file, _MAGIC, position + 1, size) if false < _MOST_FALSE else size
            links[-1].foreign += following - position
            position = following
            continue
        _, flags, _, serial, number, _, segments = struct.unpack("<BBqIIIB", head[4:_HEADER])
        table = head[_HEADER : _HEADER + segments]
        end = position + _HEADER + segments + sum(table)
        if end > size or len(table) < segments:
            links[-1].cut = True
            break
        if flags & _BEGINS and links[-1].began:
            links.append(_OggLink())
        links[-1].add(position, end, flags, serial, number)
        position, false = end, 0
    return [Part(Splice(file, link.pieces), tuple(link.notes())) for link in links if link.pieces]


class _OggLink:
    """The pages of one recording, which begins with the first page of each of its streams."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.began = False  # a page that is no first page has been met
        self.foreign = 0  # bytes that belong to no page
        self.cut = False
        self._missing = 0
        self._next: dict[int, int] = {}  # number of the next page, by stream
        self._open: set[int] = set()  # streams without last page

    def add(self, start: int, end: int, flags: int, serial: int, number: int) -> None:
        """Append a page."""
        self.began = self.began or not flags & _BEGINS
        gap = (number - self._next.get(serial, number)) % (1 << 32)
        self._missing += gap if gap < 1 << 31 else 0  # else it is a page once more
        self._next[serial] = (number + 1) % (1 << 32)
        self._open.add(serial)
        if flags & _ENDS:
            self._open.discard(serial)
        last = self.pieces[-1] if self.pieces else None
        if isinstance(last, tuple) and sum(last) == start:
            self.pieces[-1] = (last[0], end - last[0])
        else:
            self.pieces.append((start, end - start))

    def notes(self) -> list[str]:
        """What is wrong with the recording."""
        notes = []
        if self._missing:
            notes.append(f"{self._missing} of its pages are missing")
        if self.foreign > 128:  # the size of an ID3 tag at the end
            notes.append(f"{self.foreign} bytes between its pages are not audio")
        if self.cut or self._open:
            notes.append("it is cut short: its last page is not there")
        return notes

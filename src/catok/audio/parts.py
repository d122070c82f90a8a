"""From one file to the parts that libsndfile decodes one after the other.

libsndfile reads a file as its header describes it. Headers guess, are written before the length is
known, and several recordings may lie in one file; so the containers are looked through here.
"""

from dataclasses import dataclass
from typing import BinaryIO

from catok.audio.splice import Splice


@dataclass(frozen=True)
class Part:
    """One recording of a file: what libsndfile is given, and what a listener should know of it.

    `whole`: libsndfile reads the file rightly by itself, which is faster where it seeks a lot.
    """

    stream: Splice
    notes: tuple[str, ...] = ()
    whole: bool = False


def read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    """Bytes from `offset` on; fewer at the end."""
    file.seek(offset)
    return file.read(count)


def find(file: BinaryIO, pattern: bytes, start: int, end: int) -> int:
    """Where `pattern` begins next between `start` and `end`; `end` if it does not."""
    step = 1 << 20
    while start < end:
        block = read_at(file, start, min(step + len(pattern) - 1, end - start))
        place = block.find(pattern)
        if place >= 0:
            return start + place
        if len(block) < step:
            break
        start += step
    return end

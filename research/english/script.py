"""The script of Flight of the Amazon Queen: its lines, who speaks, and which clip says which line.

The layout of the bundle queen.1c is that of ScummVM's rebuilt data files: see recipes/tiny/clips.py
for its table. Dialogues (.DOG) and cut scenes (.CUT) hold strings with one byte of length before
them, remarks (.JAS) one line each. Inside a string an asterisk and two digits or letters are stage
directions ("*04"); every stretch between them is one clip of speech. The first two digits of a
dialogue's clip are the dialogue's number, the letter after four more says who speaks: J is Joe
King, the hero, P the person he talks to. Clips whose names start with JO are remarks of his.
"""

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from research.english.sentences import words

SIMILARITY = 0.8  # of transcript and line, 1 when their words are the same
CHARACTERS_PER_SECOND = (3.0, 25.0)  # of a line in its clip: else the clip holds more, or less
SHORT = 3  # words: of lines this short every word must be heard
_DIRECTIONS = re.compile(r"\*[0-9A-Z]{2}")
_CLIP = re.compile(r"(\d\d)[0-9A-F]{4}([JP])")


@dataclass(frozen=True)
class Match:
    """A clip's line."""

    text: str
    similarity: float


def read_bundle(path: Path) -> dict[str, bytes]:
    """The bundle's files by name, speech left out. Raises ValueError for another kind of file."""
    data = path.read_bytes()
    if data[:4] != b"QTBL":
        raise ValueError(f"{path} does not start with QTBL: not a rebuilt ScummVM bundle")
    (count,) = struct.unpack_from(">H", data, 13)
    files = {}
    for index in range(count):
        # 12 bytes of name, 1 byte for the bundle's number, then offset and size, big-endian
        name, _, offset, size = struct.unpack_from(">12sBII", data, 15 + 21 * index)
        name = name.rstrip(b"\0").decode("ascii")
        if not name.endswith(".SB"):
            files[name] = data[offset : offset + size]
    return files


def counted_strings(data: bytes) -> Iterator[str]:
    """Printable strings with one byte of length before them.

    Such a byte may look like text itself: a string counts only when what follows it is no text, or
    another string.
    """
    ends = [0] * (len(data) + 1)  # of the string whose length stands at i, 0 for none
    for i in range(len(data) - 1, -1, -1):
        end = i + 1 + data[i]
        body = data[i + 1 : end]
        if data[i] >= 2 and end <= len(data) and all(32 <= byte < 127 for byte in body):
            follows = end == len(data) or not 32 <= data[end] < 127 or ends[end]
            ends[i] = end if follows else 0
    i = 0
    while i < len(data):
        if ends[i]:
            yield data[i + 1 : ends[i]].decode("ascii")
        i = ends[i] or i + 1


def script_lines(files: Mapping[str, bytes]) -> list[str]:
    """Every spoken line, one clip's worth each, in the order of the bundle, each once."""
    lines = {}
    for name, data in files.items():
        if name.endswith((".DOG", ".CUT")):
            texts: Iterable[str] = counted_strings(data)
        elif name.endswith(".JAS"):
            runs = re.findall(rb"[\x20-\x7e]{4,}", data)
            texts = (run.decode("ascii") for run in runs)
        else:
            continue
        for text in texts:
            for line in _DIRECTIONS.split(text):
                line = " ".join(line.split())
                if re.search(r"[a-z]", line) and not re.search(r"[()<>\[\]{}=\\^|~@#]", line):
                    lines[line] = None
    # names of files are in there too
    return [line for line in lines if not re.fullmatch(r"\S+\.[A-Za-z]{3}", line)]


def speakers(files: Mapping[str, bytes]) -> dict[str, str]:
    """Number of a dialogue, two digits -> whom Joe talks to: "BOB2.DOG" is with "queen-bob"."""
    found = {}
    for name, data in files.items():
        if name.endswith(".DOG"):
            start = data.index(b"Datas   ") + 8
            (number,) = struct.unpack_from(">h", data, start + 4)
            found[f"{number:02}"] = "queen-" + re.sub(r"\d*\.DOG$", "", name).lower()
    return found


def speaker_of(stem: str, persons: Mapping[str, str]) -> str | None:
    """The speaker of a clip, or None in cut scenes, which do not tell."""
    if stem.startswith("JO"):
        return "queen-joe"
    match = _CLIP.match(stem)
    if match is None:
        return None
    number, who = match.groups()
    return "queen-joe" if who == "J" else persons.get(number)


class Matcher:
    """Finds the line that a transcript is closest to."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Raises ValueError when there are none."""
        self.lines = {key: line for line in reversed(list(lines)) if (key := words(line))}
        if not self.lines:
            raise ValueError("no lines to match: has the layout of the package changed?")
        self.keys = list(self.lines)

    def match(self, heard: str, seconds: float) -> Match | None:
        """The line, if it is close enough and takes about `seconds` to say.

        Similarity is 1 - edits / (characters of the longer), Levenshtein's distance on the bare
        words; what was heard of a line of up to three words must be those words.
        """
        from rapidfuzz import process
        from rapidfuzz.distance import Levenshtein

        heard = words(heard)
        if not heard:
            return None
        scorer = Levenshtein.normalized_similarity
        best = process.extractOne(heard, self.keys, scorer=scorer, score_cutoff=SIMILARITY)
        if best is None:
            return None
        key, similarity, _ = best
        low, high = CHARACTERS_PER_SECOND
        if not low * seconds <= len(key) <= high * seconds:
            return None
        if similarity < 1 and len(key.split()) <= SHORT:
            return None
        return Match(self.lines[key], round(similarity, 4))

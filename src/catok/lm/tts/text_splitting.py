"""Long text in pieces that a model can speak in one go: sentences, short ones put together.

For scripts with Latin, Cyrillic, Arabic, Devanagari or CJK punctuation; nothing is lost but white
space. Lengths count a wide character (Chinese, Japanese, Korean) as three: it takes about as long
to say as three letters. Time is linear in the length of the text: no step looks at more of it than
the piece at hand.
"""

import re
import unicodedata
from collections.abc import Iterator

from catok.data.languages import space_between
from catok.io.numbers import check_whole_number

MAX_LENGTH = 200  # letters: about a quarter of a minute

_CLOSERS = "\"'\u2019\u201d\u00bb)\\]\u300d\u300f\u3011\uff09"
_STOPS = r".!?\u2026\u061f\u06d4\u0964"
_ENDS = re.compile(  # a run of stops is looked at once, from its beginning
    rf"(?<![{_STOPS}])[{_STOPS}]++[{_CLOSERS}]*+(?=\s)|[\u3002\uff01\uff0e\uff1f]+[{_CLOSERS}]*"
)
_CLAUSES = re.compile(
    rf"[,;:\u061b\u060c][{_CLOSERS}]*(?=\s)|\s(?=[\u2013\u2014]\s)|[\uff0c\uff1b\uff1a\u3001]"
)
_JOINER = "\u200d"  # makes one character of its neighbours
_PARAGRAPH = re.compile(r"\n\s*\n")
_SHORTENED = (  # words without their last dot
    "mr mrs ms dr prof st jr sr vs e.g i.e cf approx vol fig eq bzw ca z.b d.h u.a nr str hr usw "
    "mme mlle p.ex sra dra pág ej т.е т.к т.п т.д г ул им стр рис гл руб тыс"  # noqa: RUF001
)
_ABBREVIATIONS = frozenset(_SHORTENED.split())
_WORDS_OF_ONE_LETTER = "iя"  # that end sentences: no initials


def split_text(text: str, max_length: int = MAX_LENGTH) -> list[str]:
    """The text in order, in pieces of at most `max_length`.

    A piece is one sentence or several of the same paragraph. A sentence that is too long is cut
    after a comma or its like, else between words, else anywhere. Line breaks become spaces. Raises
    ValueError when there is nothing but white space, or `max_length` is below 10.
    """
    check_whole_number("max_length in letters", max_length, at_least=10)
    pieces: list[str] = []
    for paragraph in _PARAGRAPH.split(text):
        parts: list[str] = []
        for sentence in sentences(paragraph):
            parts.extend(_cut(sentence, max_length))
        pieces.extend(_packed(parts, max_length))
    if not pieces:
        raise ValueError("there is no text to speak: give at least one word")
    return pieces


def sentences(paragraph: str) -> list[str]:
    """A paragraph's sentences, stripped.

    A full stop ends one only before white space, and not after an abbreviation or an initial, nor
    before a lower-case letter. CJK punctuation needs no white space.
    """
    text = " ".join(paragraph.split())
    pieces, start = [], 0
    for match in _ENDS.finditer(text):
        after = text[match.end() : match.end() + 2].lstrip()[:1]
        dotted = text[match.start()] == "."
        if after.islower() or (dotted and _abbreviated(text, start, match.start())):
            continue
        pieces.append(text[start : match.end()])
        start = match.end()
    pieces.append(text[start:])
    return [sentence.strip() for sentence in pieces if sentence.strip()]


def split_sentences(text: str, max_length: int = MAX_LENGTH) -> list[str]:
    """The text's sentences, each in pieces of at most `max_length`; none where there is no text."""
    splitter = SentenceSplitter(max_length)
    return [*splitter.push(text), *splitter.finish()]


class SentenceSplitter:
    """Sentences of a text that is being written, each as soon as it is known where it ends.

    That is when the next one has begun. However the text comes in pieces, they are the same.
    """

    def __init__(self, max_length: int = MAX_LENGTH) -> None:
        """Raises ValueError for a `max_length` below 10."""
        check_whole_number("max_length in letters", max_length, at_least=10)
        self._max_length = max_length
        self._rest = ""

    def push(self, text: str) -> list[str]:
        """The next characters; sentences that end before the last of them, cut where too long."""
        *whole, last = _PARAGRAPH.split(self._rest + text)
        complete = [piece for paragraph in whole for piece in self._pieces(paragraph)]
        space = last[len(last.rstrip()) :]
        *known, open_one = sentences(last) or [""]
        for sentence in known:
            complete.extend(_cut(sentence, self._max_length))
        if len(open_one) > 4 * self._max_length:  # it will be cut: the first cuts are known
            *pieces, _, _ = _cut(open_one, self._max_length)
            for piece in pieces:
                open_one = open_one[len(piece) :].lstrip()
            complete.extend(pieces)
        self._rest = open_one + space
        return complete

    def finish(self) -> list[str]:
        """The text ends here: what is left, and readiness for the next."""
        rest, self._rest = self._rest, ""
        return self._pieces(rest)

    def _pieces(self, paragraph: str) -> list[str]:
        return [piece for each in sentences(paragraph) for piece in _cut(each, self._max_length)]


def length(text: str) -> int:
    """Letters of a text, wide ones three times."""
    return sum(3 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _abbreviated(text: str, start: int, end: int) -> bool:
    """Whether the word that a dot at `end` follows, in a sentence from `start`, is shortened."""
    begin = max(text.rfind(" ", start, end) + 1, start)
    if end - begin > 20:
        return False
    word = text[begin:end].lstrip("(\"'\u2018\u201c\u00ab").lower()
    initial = len(word) == 1 and word.isalpha() and word not in _WORDS_OF_ONE_LETTER
    return initial or word in _ABBREVIATIONS


def _cut(sentence: str, max_length: int) -> Iterator[str]:
    """A sentence in parts that fit: at clauses, then at spaces, then anywhere."""
    start = 0
    while (most := _fitting(sentence, start, max_length)) < len(sentence) - start:
        window = sentence[start : start + most + 2]  # with what a clause may look ahead to
        clauses = [m.end() for m in _CLAUSES.finditer(window) if most // 3 < m.end() <= most]
        space = window.rfind(" ", 1, most + 1)
        end = clauses[-1] if clauses else space if space > 0 else _whole_characters(window, most)
        yield window[:end].strip()
        start += end
        while sentence[start : start + 1].isspace():
            start += 1
    if start < len(sentence):
        yield sentence[start:].strip()


def _fitting(text: str, start: int, max_length: int) -> int:
    """How many characters of a text from `start` on have at most the length."""
    total = 0
    for index in range(start, len(text)):
        total += length(text[index])
        if total > max_length:
            return index - start
    return len(text) - start


def _whole_characters(text: str, end: int) -> int:
    """The last place up to `end` where no mark belongs to the character before; else `end`."""
    for place in range(end, 0, -1):
        joined = text[place - 1] == _JOINER or text[place : place + 1] == _JOINER
        if not joined and not unicodedata.category(text[place]).startswith("M"):
            return place
    return end


def _packed(parts: list[str], max_length: int) -> list[str]:
    """Neighbours put together as long as they fit."""
    packed: list[str] = []
    total = 0
    for part in parts:
        if packed:
            between = space_between(packed[-1], part)
            together = total + len(between) + length(part)
            if together <= max_length:
                packed[-1] += between + part
                total = together
                continue
        packed.append(part)
        total = length(part)
    return packed

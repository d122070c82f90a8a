"""Long text in pieces that a model can speak in one go: sentences, short ones put together.

For scripts with Latin, Cyrillic, Arabic, Devanagari or CJK punctuation; nothing is lost but white
space. Lengths count a wide character (Chinese, Japanese, Korean) as three: it takes about as long
to say as three letters.
"""

import re
import unicodedata
from collections.abc import Iterator

from catok.io.numbers import check_whole_number

MAX_LENGTH = 200  # letters: about a quarter of a minute

_CLOSERS = "\"'\u2019\u201d\u00bb)\\]\u300d\u300f\u3011\uff09"
_ENDS = re.compile(
    rf"[.!?\u2026\u061f\u06d4\u0964]+[{_CLOSERS}]*(?=\s)|[\u3002\uff01\uff1f]+[{_CLOSERS}]*"
)
_CLAUSES = re.compile(
    rf"[,;:\u061b\u060c][{_CLOSERS}]*(?=\s)|\s(?=[\u2013\u2014]\s)|[\uff0c\uff1b\uff1a\u3001]"
)
_PARAGRAPH = re.compile(r"\n\s*\n")
_SHORTENED = (  # words without their last dot
    "mr mrs ms dr prof st jr sr vs e.g i.e cf approx vol fig eq bzw ca z.b d.h u.a nr str hr usw "
    "mme mlle p.ex sra dra pág ej т.е т.к т.п т.д г ул им стр рис гл руб тыс"  # noqa: RUF001
)
_ABBREVIATIONS = frozenset(_SHORTENED.split())
_WORDS_OF_ONE_LETTER = "iя"  # that end sentences: no initials


def pieces(text: str, max_length: int = MAX_LENGTH) -> list[str]:
    """The text in order, in pieces of at most `max_length`.

    A piece is one sentence or several of the same paragraph. A sentence that is too long is cut
    after a comma or its like, else between words, else anywhere. Line breaks become spaces. Raises
    ValueError when there is nothing but white space, or `max_length` is below 10.
    """
    check_whole_number("max_length in letters", max_length, at_least=10)
    found: list[str] = []
    for paragraph in _PARAGRAPH.split(text):
        parts: list[str] = []
        for sentence in sentences(paragraph):
            parts.extend(_cut(sentence, max_length))
        found.extend(_packed(parts, max_length))
    if not found:
        raise ValueError("there is no text to speak: give at least one word")
    return found


def sentences(paragraph: str) -> list[str]:
    """A paragraph's sentences, stripped.

    A full stop ends one only before white space, and not after an abbreviation or an initial, nor
    before a lower-case letter. CJK punctuation needs no white space.
    """
    text = " ".join(paragraph.split())
    found, start = [], 0
    for match in _ENDS.finditer(text):
        after = text[match.end() :].lstrip()[:1]
        dotted = match.group().startswith(".")
        if after.islower() or (dotted and _abbreviated(text[start : match.start()])):
            continue
        found.append(text[start : match.end()])
        start = match.end()
    found.append(text[start:])
    return [sentence.strip() for sentence in found if sentence.strip()]


def length(text: str) -> int:
    """Letters of a text, wide ones three times."""
    return sum(3 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def separator(before: str, after: str) -> str:
    """What stands between two pieces in running text: nothing beside wide characters."""
    meeting = before[-1:] + after[:1]
    tight = any(c.isspace() or unicodedata.east_asian_width(c) in "WF" for c in meeting)
    return "" if tight else " "


def _abbreviated(before: str) -> bool:
    word = before.split(" ")[-1].lstrip("(\"'\u2018\u201c\u00ab").lower()
    initial = len(word) == 1 and word.isalpha() and word not in _WORDS_OF_ONE_LETTER
    return initial or word in _ABBREVIATIONS


def _cut(sentence: str, max_length: int) -> Iterator[str]:
    """A sentence in parts that fit: at clauses, then at spaces, then anywhere."""
    rest = sentence
    while length(rest) > max_length:
        most = _fitting(rest, max_length)
        clauses = [m.end() for m in _CLAUSES.finditer(rest) if m.end() <= most]
        spaces = [m.start() for m in re.finditer(" ", rest[: most + 1]) if m.start()]
        late = [end for end in clauses if end > most // 3]
        end = late[-1] if late else spaces[-1] if spaces else most
        yield rest[:end].strip()
        rest = rest[end:].strip()
    if rest:
        yield rest


def _fitting(text: str, max_length: int) -> int:
    """How many characters of a text have at most the length."""
    total = 0
    for index, character in enumerate(text):
        total += length(character)
        if total > max_length:
            return index
    return len(text)


def _packed(parts: list[str], max_length: int) -> list[str]:
    packed: list[str] = []
    for part in parts:
        if packed:
            together = packed[-1] + separator(packed[-1], part) + part
            if length(together) <= max_length:
                packed[-1] = together
                continue
        packed.append(part)
    return packed

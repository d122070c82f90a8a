"""From tokens to words: which tokens spell which word, and when it was said."""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from catok.data.languages import is_unspaced
from catok.lm.text import TextTokenizer

BROKEN = "\ufffd"  # what a tokenizer decodes half of a character to


class Word(NamedTuple):
    """A word (of scripts without spaces: a character) and its time in seconds."""

    text: str
    start: float
    end: float


def spelled(tokens: Sequence[int], text: TextTokenizer) -> list[tuple[str, int, int]]:
    """Whole characters and the tokens [first, end) that spell them.

    A character may take several tokens, and a token may be several characters.
    """
    found, first = [], 0
    for end in range(1, len(tokens) + 1):
        piece = text.decode(tokens[first:end])
        if BROKEN not in piece or end == len(tokens):
            found.append((piece, first, end))
            first = end
    return found


def timed_words(
    tokens: Sequence[int],
    spans: Sequence[tuple[int, int]],
    text: TextTokenizer,
    seconds: float,
) -> list[Word]:
    """Words of a text whose tokens stand at positions `spans`, each position `seconds` long."""
    words: list[Word] = []
    current, start, end = "", 0.0, 0.0

    def close() -> None:
        nonlocal current
        if current:
            words.append(Word(current, start, end))
        current = ""

    for piece, first, last in spelled(tokens, text):
        begins, ends = spans[first][0] * seconds, spans[last - 1][1] * seconds
        for character in piece:
            is_mark = unicodedata.category(character)[0] == "M"
            if is_mark and not current and words and is_unspaced(words[-1].text[-1]):
                # a vowel sign or tone mark belongs to the character before, which is a word
                words[-1] = Word(words[-1].text + character, words[-1].start, ends)
                continue
            alone = is_unspaced(character)
            if character.isspace() or alone:
                close()
            if character.isspace():
                continue
            if not current:
                start = begins
            current, end = current + character, ends
            if alone:
                close()
    close()
    return words

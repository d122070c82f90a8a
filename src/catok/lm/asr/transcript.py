"""What was recognised: a text with its tokens, and the times of its words if asked for."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from catok.data.languages import is_unspaced, space_between
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
    pieces, first = [], 0
    for end in range(1, len(tokens) + 1):
        piece = text.decode(tokens[first:end])
        if BROKEN not in piece or end == len(tokens):
            pieces.append((piece, first, end))
            first = end
    return pieces


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


@dataclass(frozen=True)
class Transcript:
    """The text of one recording.

    tokens    ids of the text tokenizer, without the end
    log_prob  natural logarithm of the model's probability of tokens and end; with method "ctc" that
              of the likeliest alignment
    words     every word with its start and end in seconds; None when not asked for, or when the
              text is too long for the recording to be aligned
    ended     False when the length limit cut the text off
    """

    text: str
    tokens: tuple[int, ...]
    log_prob: float
    words: tuple[Word, ...] | None = None
    ended: bool = True


@dataclass(frozen=True)
class Partial:
    """What a stream seems to say so far; later audio may change it until `final`."""

    text: str
    final: bool = False


def join_texts(texts: Sequence[str]) -> str:
    """Texts with a space between them, but none beside a script that has no spaces."""
    joined = ""
    for text in texts:
        joined += (space_between(joined, text) if joined and text else "") + text
    return joined


def join_transcripts(parts: Sequence[Transcript], starts: Sequence[float]) -> Transcript:
    """The transcript of a recording from those of its pieces, which begin at `starts` seconds."""
    words: list[Word] | None = []
    for part, start in zip(parts, starts, strict=True):
        if part.words is None or words is None:
            words = None
        else:
            words += [Word(word.text, word.start + start, word.end + start) for word in part.words]
    return Transcript(
        join_texts([part.text for part in parts]),
        tuple(token for part in parts for token in part.tokens),
        sum(part.log_prob for part in parts),
        None if words is None else tuple(words),
        all(part.ended for part in parts),
    )

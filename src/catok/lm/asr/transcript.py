"""What was recognised: a text with its tokens, and the times of its words if asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from catok.data.languages import space_between
from catok.lm.asr.words import Word


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

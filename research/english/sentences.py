"""Which sentences are spoken, in which order, and in which split each falls.

Everything is decided by SHA-1 of the words alone, so that a sentence has one split whoever says it
and a run that is repeated chooses the same sentences.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

MIN_WORDS, MAX_WORDS = 2, 20
LONGEST_WORD = 16  # letters; longer ones are mostly invented
_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'])")
_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|Prof|Jr|Sr)\.$")
_PLAIN = re.compile(r"[A-Z][a-z']*(?:-[a-z]+)*(?:,? [A-Za-z]['a-z]*(?:-[A-Za-z][a-z]*)*)*[.!?]")
_ODD_WORD = re.compile(r"(.)\1\1|^[^aeiouy]+$")  # "aaargh", "hmm"
_DASH_AND_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"'})


def words(text: str) -> str:
    """The bare words: lower case, letters, digits and inner apostrophes, single spaces.

    Two sentences with the same words are the same sentence.
    """
    text = text.translate(_DASH_AND_QUOTES).lower()
    return " ".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*", text))


def digest(text: str) -> str:
    """SHA-1 of the words, in hex."""
    return hashlib.sha1(words(text).encode("utf-8")).hexdigest()


def split_of(text: str) -> str:
    """By the first two hex digits of the SHA-1: 00-07 test, 08-0f valid, others train."""
    first = int(digest(text)[:2], 16)
    return "test" if first < 8 else "valid" if first < 16 else "train"


def sentences(paragraph: str) -> Iterator[str]:
    """Cut a paragraph after . ! ? where a capital follows; never after "Mr." and the like."""
    text, pending = " ".join(paragraph.translate(_DASH_AND_QUOTES).split()), ""
    for piece in _END.split(text):
        pending = f"{pending} {piece}".strip()
        if not _TITLE.search(pending):
            yield pending
            pending = ""
    if pending:
        yield pending


def speakable(sentence: str) -> bool:
    """Whether it is a plain sentence of 2 to 20 words whose reading leaves no doubt.

    Letters, commas, apostrophes and one mark at the end: no digits, brackets, quotes, markup or
    abbreviations; no capitals beyond the first letter of a word ("I" apart), not only names, no
    interjections such as "hmm", no words of more than 16 letters.
    """
    if not _PLAIN.fullmatch(sentence):
        return False
    parts = re.findall(r"[A-Za-z']+", sentence)
    if not MIN_WORDS <= len(parts) <= MAX_WORDS or max(map(len, parts)) > LONGEST_WORD:
        return False
    if any(part.startswith("'") or part.endswith("'") for part in parts):
        return False
    if any(len(part) == 1 and part not in "AIaO" for part in parts):
        return False
    if any(_ODD_WORD.search(part.lower()) for part in parts):
        return False
    return any(part[0].islower() for part in parts)


def names_inside(sentence: str) -> bool:
    """Whether a word after the first starts with a capital, "I" and its contractions apart."""
    return re.search(r"[\s-](?!I\b)[A-Z]", sentence) is not None


def choose(
    sources: Mapping[str, Iterable[str]], weights: Mapping[str, int], salt: str = ""
) -> list[tuple[str, str]]:
    """All sentences of all sources as (source, sentence), each once, in the order of speaking.

    Each source is ordered by the SHA-1 of `salt` and the words. Round by round a source gives
    `weights[source]` sentences (1 where it is not named), while it lasts.
    """

    def key(sentence: str) -> tuple[str, str]:
        return hashlib.sha1(f"{salt}{words(sentence)}".encode()).hexdigest(), sentence

    queues = {name: sorted(set(texts), key=key, reverse=True) for name, texts in sources.items()}
    seen, order = set(), []
    while any(queues.values()):
        for name, queue in queues.items():
            given = 0
            while queue and given < weights.get(name, 1):
                sentence = queue.pop()
                if words(sentence) not in seen:
                    seen.add(words(sentence))
                    order.append((name, sentence))
                    given += 1
    return order

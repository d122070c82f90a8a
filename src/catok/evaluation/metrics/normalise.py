"""Text made comparable before words are counted.

English goes through Whisper's English normaliser (Radford et al. 2022, appendix C; the copy in
transformers): lower case, no punctuation or fillers, contractions and number words written one way.
Its list of British spellings comes with Whisper's weights only: "colour" and "color" stay
different. Every other language: Unicode NFKC, lower case, punctuation and symbols to spaces. Digits
stay as they are.

A word is what stands between spaces; in scripts written without spaces (Chinese, Japanese, Thai,
Lao, Khmer, Burmese) every character is a word, so that there WER and CER are the same, as
AISHELL and Seed-TTS-Eval count.
"""

import unicodedata
from functools import lru_cache
from typing import Any

from catok.data.languages import is_unspaced, language_code
from catok.evaluation.extras import extra

_APOSTROPHE = "\u2019"


def normalise(text: str, language: str | None = None) -> str:
    """Lower-case words parted by single spaces. `language`: its code, such as "en" or "en-GB".

    Raises ValueError when `language` is English and transformers is not installed.
    """
    if language_code(language) == "en":
        text = _english()(unicodedata.normalize("NFKC", text).replace(_APOSTROPHE, "'"))
    return " ".join(_plain(text).split())


def words(text: str) -> list[str]:
    """Words of a normalised text."""
    return "".join(f" {c} " if is_unspaced(c) else c for c in text).split()


def characters(text: str) -> list[str]:
    """Characters of a normalised text; spaces do not count."""
    return [character for character in text if not character.isspace()]


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).lower()
    return "".join(" " if unicodedata.category(c)[0] in "PSCZ" else c for c in text)


@lru_cache(maxsize=1)
def _english() -> Any:
    module = extra("transformers.models.whisper.english_normalizer")
    return module.EnglishTextNormalizer({})

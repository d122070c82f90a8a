"""Text as the units whose errors are counted: words, or characters in scripts without spaces.

English goes through Whisper's English normalizer (Radford et al. 2022, appendix C; the copy in
transformers): lower case, no punctuation or fillers, contractions and number words written one way.
Its list of British spellings comes with Whisper's weights only: "colour" and "color" stay
different. Every other language: Unicode NFKC, lower case, punctuation and symbols to spaces. Digits
stay as they are.

A word is what stands between spaces; in scripts written without spaces (`is_unspaced`) every
character is a word, so that there WER and CER are the same, as AISHELL and Seed-TTS-Eval count.
"""

import re
import string
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from catok.data.languages import UNSPACED_LANGUAGES, has_ideographs, is_unspaced, language_code
from catok.evaluation.extras import import_extra

UNKNOWN = "und"  # the code of a language that is not known, as in ISO 639-2
_APOSTROPHE = "\u2019"

# What the official script of Seed-TTS-Eval takes out: ASCII punctuation but for the apostrophe,
# and the Chinese punctuation of the package zhon.
_ASCII = string.punctuation.replace("'", "")
_CHINESE = (
    "\u00b7\u2013\u2014\u2018\u2019\u201b-\u201f\u2026\u2027\u3000-\u3003\u3008-\u3011"
    "\u3014-\u301f\u3030\u303e\u303f\ufe4f\ufe51\ufe54\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40"
    "\uff5b-\uff64"
)
_PUNCTUATION = re.compile(f"[{re.escape(_ASCII)}{_CHINESE}]")


def normalize_text(text: str, language: str | None = None) -> str:
    """Lower-case words parted by single spaces. `language`: its code, such as "en" or "en-GB".

    Raises ValueError when `language` is English and transformers is not installed.
    """
    if language_code(language) == "en":
        text = _english()(unicodedata.normalize("NFKC", text).replace(_APOSTROPHE, "'"))
    return " ".join(_plain(text).split())


def split_words(text: str) -> list[str]:
    """Words of a normalised text."""
    return "".join(f" {c} " if is_unspaced(c) else c for c in text).split()


def split_characters(text: str) -> list[str]:
    """Characters of a normalised text; spaces do not count."""
    return [character for character in text if not character.isspace()]


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).lower()
    return "".join(" " if unicodedata.category(c)[0] in "PSCZ" else c for c in text)


@lru_cache(maxsize=1)
def _english() -> Any:
    module = import_extra("transformers.models.whisper.english_normalizer")
    return module.EnglishTextNormalizer({})


def detect_language(text: str, stated: str | None) -> str:
    """The language's short code: "zh-CN" is "zh".

    A text without a label is "zh" where it has Chinese characters; other languages are not told
    apart, they are "und".
    """
    return language_code(stated) or ("zh" if has_ideographs(text) else UNKNOWN)


def is_scored_by_character(language: str) -> bool:
    """Whether errors in this language are counted per character rather than per word."""
    return language in UNSPACED_LANGUAGES


TextUnits = Callable[[str, str], list[str]]
"""Text and language code -> words, or characters where `is_scored_by_character` says so."""


def standard_units(text: str, language: str) -> list[str]:
    """Units of the text after `normalize_text`, for speech recognition."""
    plain = normalize_text(text, language)
    return split_characters(plain) if is_scored_by_character(language) else split_words(plain)


def seed_tts_units(text: str, language: str) -> list[str]:
    """The words, or for Chinese and its like the characters, as Seed-TTS-Eval compares them.

    As in its `run_wer.py`, punctuation is removed, the apostrophe kept; words become lower case;
    digits stay as they are. The script also turns the recogniser's traditional Chinese into
    simplified, which is left to the recogniser here.
    """
    bare = _PUNCTUATION.sub("", text)
    if is_scored_by_character(language):
        return [character for character in bare if not character.isspace()]
    return bare.lower().split()


TEXT_UNITS: dict[str, TextUnits] = {"standard": standard_units, "seed-tts-eval": seed_tts_units}
"""By name: for recognition, and for synthesis as Seed-TTS-Eval does it."""

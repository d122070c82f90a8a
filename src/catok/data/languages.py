"""Languages and scripts: short codes, and what is written without spaces.

The one definition that word times, word errors, and the joining of texts share.
"""

import re
import unicodedata

UNSPACED_LANGUAGES = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km"})
"""Written without spaces between words: their error rate is per character (CER)."""

_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CJK = (
    _IDEOGRAPHS
    + "\u3005-\u3007"  # ideographic marks
    + "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # kana, their extensions, their narrow forms
)
_OTHERS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Burmese, Khmer

_HAS_IDEOGRAPH = re.compile(f"[{_IDEOGRAPHS}]")
_IS_CJK = re.compile(f"[{_CJK}]")
_IS_UNSPACED = re.compile(f"[{_CJK}{_OTHERS}]")


def language_code(label: str | None) -> str | None:
    """ "en-GB" or "EN_us" -> "en"; None, or an empty label, as it is."""
    return label and label.lower().replace("_", "-").partition("-")[0]


def has_ideographs(text: str) -> bool:
    """Whether a text has Chinese characters."""
    return bool(_HAS_IDEOGRAPH.search(text))


def is_unspaced(character: str) -> bool:
    """Whether a character is of a script without spaces between words: each counts as a word.

    Chinese, Japanese, Thai, Lao, Khmer, Burmese; not Korean, which has spaces.
    """
    return bool(_IS_UNSPACED.match(character))


def space_between(before: str, after: str) -> str:
    """What stands between two texts in running text: a space, or nothing.

    Nothing beside white space, Chinese and Japanese characters and their punctuation. Thai and its
    like have spaces between sentences, though not between words.
    """
    return "" if any(map(_takes_no_space, before[-1:] + after[:1])) else " "


def _takes_no_space(character: str) -> bool:
    if character.isspace() or _IS_CJK.match(character):
        return True
    is_wide = unicodedata.east_asian_width(character) in "WF"
    return is_wide and unicodedata.category(character)[0] == "P"

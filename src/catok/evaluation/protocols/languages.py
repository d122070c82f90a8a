"""Which languages are scored by character, and what a text without a label is taken for."""

import re

CHARACTER_LANGUAGES = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km"})
"""Written without spaces between words: their error rate is per character (CER)."""

UNKNOWN = "und"  # as in ISO 639-2

_IDEOGRAPHS = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def language_of(text: str, stated: str | None) -> str:
    """The language's short code: "zh-CN" is "zh".

    A text without a label is "zh" where it has Chinese characters; other languages are not told
    apart, they are "und".
    """
    if stated:
        return stated.lower().replace("_", "-").split("-")[0]
    return "zh" if _IDEOGRAPHS.search(text) else UNKNOWN


def by_character(language: str) -> bool:
    """Whether errors in this language are counted per character rather than per word."""
    return language in CHARACTER_LANGUAGES

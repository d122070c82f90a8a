"""Which languages are scored by character, and what a text without a label is taken for."""

from catok.data.languages import UNSPACED_LANGUAGES, has_ideographs, language_code

UNKNOWN = "und"  # as in ISO 639-2


def language_of(text: str, stated: str | None) -> str:
    """The language's short code: "zh-CN" is "zh".

    A text without a label is "zh" where it has Chinese characters; other languages are not told
    apart, they are "und".
    """
    return language_code(stated) or ("zh" if has_ideographs(text) else UNKNOWN)


def by_character(language: str) -> bool:
    """Whether errors in this language are counted per character rather than per word."""
    return language in UNSPACED_LANGUAGES

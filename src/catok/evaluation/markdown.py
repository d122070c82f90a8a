"""Text from outside for tables and pages: names, reasons, what somebody typed into a manifest."""

import re
from unicodedata import category

_ESCAPED = {"Cc", "Cs", "Zl", "Zp"}  # control characters, halves of characters, line separators
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MARKUP = re.compile(r"[\\`*\[\]<>|~&]|(?<!\w)_|_(?!\w)|(?<=:)//|(?<!\w)@|(?i:www\.)")


def readable(text: str) -> str:
    """The same on one line that UTF-8 can hold and a terminal shows as it is.

    Control characters, marks that turn the direction of writing, and halves of characters (which
    stand for file names that are not UTF-8) become escapes such as \\x1b; text without them stays
    as it is.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(character) for character in text)


def markdown(text: str) -> str:
    """As `readable`, and no part of it is markup, a link or HTML in Markdown."""
    return _MARKUP.sub(_unmarked, readable(" ".join(text.split())))


def markdown_table(rows: list[list[str]]) -> str:
    """A table, the first row its head; cells are Markdown already and hold no line breaks."""
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def _escape(character: str) -> str:
    if category(character) in _ESCAPED or character in _DIRECTIONS:
        return character.encode("unicode_escape").decode()
    return character


def _unmarked(match: re.Match[str]) -> str:
    text = match[0]
    if text in "<>&":
        return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}[text]
    if text in ("//", "@") or text.lower() == "www.":  # GitHub makes links and mentions of them
        return text[:-1] + f"&#{ord(text[-1])};"
    return "\\" + text

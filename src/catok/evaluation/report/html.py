"""Pieces of HTML with everything escaped."""

import base64
from collections.abc import Iterable
from html import escape


def tag(name: str, content: str = "", **attributes: object) -> str:
    """An element around `content`, which is HTML already; attribute values are escaped.

    A trailing underscore of a name goes, others become hyphens: class_="x", aria_label="y".
    """
    return f"<{name}{_attributes(attributes)}>{content}</{name}>"


def void_tag(element: str, **attributes: object) -> str:
    """An element without content, such as `img`."""
    return f"<{element}{_attributes(attributes)}>"


def escaped(value: object) -> str:
    """Any value as text."""
    return escape(str(value))


def head(title: str, allowed: str) -> str:
    """The head of a page that loads nothing from elsewhere, up to its style.

    `allowed`: content that it has in itself, as directives of a Content-Security-Policy.
    """
    policy = f"default-src 'none'; style-src 'unsafe-inline'; {allowed}"
    return join_lines(
        (
            void_tag("meta", charset="utf-8"),
            void_tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            void_tag("meta", name="color-scheme", content="light dark"),
            void_tag("meta", http_equiv="Content-Security-Policy", content=policy),
            void_tag("link", rel="icon", href="data:,"),
            tag("title", escaped(title)),
        )
    )


def join_lines(parts: Iterable[str]) -> str:
    """Pieces one after the other, each on a line."""
    return "\n".join(parts)


def data_url(kind: str, content: bytes) -> str:
    """A file of media type `kind` inside the page."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _attributes(attributes: dict[str, object]) -> str:
    parts = []
    for key, value in attributes.items():
        if value is not None and value is not False:
            name = key.rstrip("_").replace("_", "-")
            parts.append(f" {name}" if value is True else f' {name}="{escape(str(value))}"')
    return "".join(parts)

"""TOML that somebody else wrote: ValueError on anything that cannot be read."""

import math
import tomllib
from pathlib import Path
from typing import Any

from catok.io.text import read_text


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """The table that `text` holds; `where` names the place in error messages.

    Raises ValueError on bad syntax, on values nested too deeply and on numbers that are not finite.
    """
    try:
        return tomllib.loads(text, parse_float=_float)
    except RecursionError as error:
        raise ValueError(f"{where} is nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError is one
        raise ValueError(f"{where} is not valid TOML: {error}") from error


def read_toml(path: str | Path) -> dict[str, Any]:
    """The table in a file. Raises ValueError as `parse_toml` and `read_text` do."""
    return parse_toml(read_text(path), str(path))


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value

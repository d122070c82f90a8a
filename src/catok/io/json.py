"""JSON that somebody else wrote: bounded in size and depth, finite numbers, ValueError otherwise.

The standard parser takes NaN, Infinity and 1e999, and its recursion ends in RecursionError.
"""

import json
import math
import os
from pathlib import Path
from typing import Any

from catok.io.text import MAX_BYTES, read_text

MAX_DEPTH = 64
MAX_DIGITS = 40  # of a whole number; thousands of them cost seconds and fit no float


def parse_json(text: str | bytes, where: str) -> Any:
    """The value that `text` holds: UTF-8, at most `MAX_DEPTH` levels deep, with finite numbers.

    `where` names the place in error messages. Raises ValueError on anything else.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()
        value = _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError(f"{where} is nested more than {MAX_DEPTH} levels deep") from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise ValueError(f"{where} is not valid JSON ({error})") from error
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value, where)
    return value


def parse_object(text: str | bytes, where: str) -> dict[str, Any]:
    """As `parse_json`, of a JSON object. Raises ValueError on any other value too."""
    value = parse_json(text, where)
    if not isinstance(value, dict):
        raise ValueError(f"{where} must hold a JSON object, got {type(value).__name__}")
    return value


def read_json(path: str | Path, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The JSON object in a file. Raises ValueError as `parse_json` and `read_text` do."""
    path = Path(path)
    if not os.path.lexists(path):
        raise ValueError(
            f"{path.parent} holds no {path.name}: it is another kind of folder, or a name is "
            "misspelt"
        )
    return parse_object(read_text(path, max_bytes), str(path))


def _check_depth(value: Any, where: str) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        containers = [item for item in level if isinstance(item, dict | list)]
        if not containers:
            return
        level = [
            inner
            for item in containers
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
    raise ValueError(f"{where} is nested more than {MAX_DEPTH} levels deep")


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not a finite number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:MAX_DIGITS]} is not a finite number")
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)


_DECODER = json.JSONDecoder(parse_float=_float, parse_int=_integer, parse_constant=_constant)

"""JSON-lines files: one object of keys a line, read strictly."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catok.data.lines import numbered_lines
from catok.io.json import parse_object


def read_jsonl(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file, plain or gzipped, with the numbers of their lines, from 1.

    Raises ValueError, with file and line, as `numbered_lines` and `catok.io.json` do.
    """
    path = Path(path)
    for number, line in numbered_lines(path):
        yield number, parse_object(line, f"{path}, line {number}")

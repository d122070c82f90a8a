"""Text files of one entry a line, plain or gzipped, read so that complaints name file and line."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, stripped, numbered from 1.

    Raises ValueError, naming the line, where the file is missing, damaged or not UTF-8.
    """
    number = 0
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig") as file
        ):
            for line in file:
                number += 1
                if line.strip():
                    yield number, line.strip()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read after line {number}: {error}") from error

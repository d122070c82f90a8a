"""Text files of one entry a line, plain or gzipped, read so that complaints name file and line."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from catok.io.files import reason

MAX_LINE = 16 << 20  # bytes: beyond that it is no list, and would fill the memory


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, stripped, numbered from 1.

    Raises ValueError, naming the line, where the file is missing, damaged or not UTF-8, or a line
    is longer than 16 MiB.
    """
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while content := file.readline(MAX_LINE + 1):
                if len(content) > MAX_LINE:
                    raise ValueError(f"line {number + 1} is longer than {MAX_LINE >> 20} MiB")
                line = content.decode("utf-8-sig" if number == 0 else "utf-8").strip()
                number += 1
                if line:
                    yield number, line
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read after line {number}: {reason(error)}") from error

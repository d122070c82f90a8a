"""All that commands print: results on standard output, everything else on standard error.

Names and texts come from outside and may hold escape sequences: no control character reaches the
terminal.
"""

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tqdm import tqdm

# controls, marks that reverse the order of letters, line separators, bytes that are not UTF-8
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_quiet = False
_closed: set[str] = set()  # standard files that were closed when the program began


def shown(text: object) -> str:
    r"""A text on one line, safe on a terminal: what could control it is written as \x1b or \u202e.

    Bytes of a file name that are not UTF-8 are written likewise, as \xe9.
    """
    return _UNSAFE.sub(_escaped, str(text))


def print_note(line: str) -> None:
    """A line of information on standard error; nothing under --quiet."""
    if not _quiet:
        print_error(line)


def print_error(line: str) -> None:
    """A line on standard error that --quiet does not keep back: something went wrong."""
    tqdm.write(shown(line), file=sys.stderr)  # above the bars, if there are any
    sys.stderr.flush()


def print_result(text: str) -> None:
    """Results on standard output, of one or several lines; as they are, if it is no terminal."""
    if sys.stdout.isatty():
        lines = text.split("\n")
        text = "\n".join("\t".join(map(shown, line.split("\t"))) for line in lines)
    print(text, flush=True)


def bar(total: float, **options: Any) -> tqdm:
    """A progress bar on standard error, shown on a terminal only; see tqdm for the options."""
    hidden = _quiet or not sys.stderr.isatty()
    return tqdm(total=total, file=sys.stderr, disable=hidden, dynamic_ncols=True, **options)


def has_bars() -> bool:
    """Progress bars can be seen."""
    return not _quiet and sys.stderr.isatty()


@contextmanager
def quietly(quiet: bool) -> Iterator[None]:
    """Context in which `say` and `bar` show nothing, if `quiet`."""
    global _quiet
    before, _quiet = _quiet, _quiet or quiet
    try:
        yield
    finally:
        _quiet = before


def open_standard_files() -> None:
    """Give the program all three standard files, where it was started with some of them closed.

    Otherwise the next file that is opened would take the place of one, and get its text.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        _closed.add(name)
        null = os.open(os.devnull, os.O_RDWR)
        try:
            os.fstat(number)
        except OSError:
            os.dup2(null, number)
        stream = open(null, "r" if number == 0 else "w", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
    if isinstance(sys.stdout, io.TextIOWrapper):  # names that are not UTF-8 go out as they came in
        sys.stdout.reconfigure(errors="surrogateescape")


def is_closed(name: str) -> bool:
    """The program was started without "stdin", "stdout" or "stderr"."""
    return name in _closed


def forget_output() -> None:
    """Let what is left in the buffers go nowhere: who read them is gone, and Python would complain
    of it at exit."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
            continue
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # as Python holds a byte of a name that is not UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

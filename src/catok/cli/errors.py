"""From exceptions and signals to exit codes and one clear line."""

import os
import sys
from collections.abc import Callable

from catok.cli.ending import ended_by_signals
from catok.cli.terminal import forget_output, print_error, shown
from catok.extras import hint_for
from catok.io.files import reason

INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended
BROKEN_PIPE = 141  # likewise for SIGPIPE


class UsageError(Exception):
    """Arguments that parse but do not go together: exit code 2, as for those that do not parse."""


def exit_code(command: Callable[[], int]) -> int:
    """Run a command: its own exit code, or 1 for an error, 130 for Ctrl-C, 141 for a closed pipe.

    Errors (ValueError, OSError, a missing package, no memory) become one line on stderr; with
    CATOK_TRACEBACK=1 in the environment they are raised. SIGTERM and SIGHUP end the command as
    SystemExit, which removes temporary files.
    """
    try:
        with ended_by_signals():
            return _reported(command)
    except BrokenPipeError:
        forget_output()
        return BROKEN_PIPE


def error_line(error: BaseException, about: str = "") -> str:
    """`catok: error: ...` on one line; `about` is put in front unless the message names it."""
    message = " ".join(_plain(error).split()) or type(error).__name__
    return f"catok: error: {shown(message if about in message else f'{about}: {message}')}"


def _plain(error: BaseException) -> str:
    """The message; of an error of the operating system the file and what is wrong with it."""
    file = error.filename if isinstance(error, OSError) else None
    if isinstance(file, bytes):
        file = os.fsdecode(file)
    return reason(error) if file is None else f"{file}: {reason(error)}"


def _reported(command: Callable[[], int]) -> int:
    try:
        try:
            return command()
        finally:  # now, while a closed pipe can still be told from an error
            sys.stdout.flush()
    except KeyboardInterrupt:
        print_error("catok: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except UsageError as error:
        print_error(error_line(error))
        return 2
    except (ValueError, OSError, MemoryError, ModuleNotFoundError) as error:
        if os.environ.get("CATOK_TRACEBACK", "0") not in ("", "0"):
            raise
        print_error(error_line(_explained(error)))
        return 1


def _explained(error: Exception) -> Exception:
    """An error that says what to do, for those of Python that do not. Others are returned."""
    if isinstance(error, MemoryError):
        return MemoryError(f"out of memory: take shorter recordings or smaller batches ({error})")
    if isinstance(error, ModuleNotFoundError):
        hint = hint_for(error.name or "")
        if hint is None:
            raise error
        return ValueError(hint)
    return error

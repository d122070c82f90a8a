"""From exceptions to exit codes and one clear line."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress

INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


class UsageError(Exception):
    """Arguments that parse but do not go together: exit code 2, as for those that do not parse."""


def exit_code(command: Callable[[], int]) -> int:
    """Run a command: its own exit code, or 1 for ValueError and OSError, 130 for Ctrl-C.

    Errors become one line on stderr; with CATOK_TRACEBACK=1 in the environment they are raised.
    """
    try:
        try:
            return command()
        finally:  # now, while a closed pipe can still be told from an error
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("catok: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return 141  # what a shell reports for a program that SIGPIPE ended
    except UsageError as error:
        print(error_line(error), file=sys.stderr)
        return 2
    except (ValueError, OSError) as error:
        if os.environ.get("CATOK_TRACEBACK", "0") not in ("", "0"):
            raise
        print(error_line(error), file=sys.stderr)
        return 1


def error_line(error: Exception, about: str = "") -> str:
    """`catok: error: ...` on one line; `about` is put in front unless the message names it."""
    message = " ".join(str(error).split()) or type(error).__name__
    return f"catok: error: {message if about in message else f'{about}: {message}'}"


def _forget_stdout() -> None:
    """Let what is left in stdout's buffer go nowhere, or Python complains of it at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

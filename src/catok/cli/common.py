"""What every command understands: --quiet, --threads and --version."""

import functools
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, get_type_hints

from tyro.conf import arg

from catok.cli.arguments import check_count
from catok.cli.folders import no_empty_folders
from catok.cli.terminal import print_note, quietly

_COMMON: dict[str, Any] = {
    "threads": Annotated[
        int | None,
        arg(metavar="N", help="CPU threads.", help_behavior_hint="(default: PyTorch's choice)"),
    ],
    "quiet": Annotated[
        bool,
        arg(
            aliases=["-q"],
            help="Print errors only: no progress, notes or summary.",
            help_behavior_hint="",
        ),
    ],
    "version": Annotated[bool, arg(help="Print the version and end.", help_behavior_hint="")],
}
_DEFAULTS = {"threads": None, "quiet": False, "version": False}


def command(function: Callable[..., int]) -> Callable[..., int]:
    """The command with the common options besides its own; `threads` is passed on if it takes it.

    --version is answered before arguments are parsed; it stands here to be listed by --help.
    """
    signature = inspect.signature(function)
    hints = get_type_hints(function, include_extras=True)

    @functools.wraps(function)
    def run(
        *arguments: Any, threads: int | None, quiet: bool, version: bool, **options: Any
    ) -> int:
        if "threads" in signature.parameters:
            options["threads"] = threads
        with quietly(quiet), _threads(threads), no_empty_folders(), _warnings_in_words():
            return function(*arguments, **options)

    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS[name], annotation=kind
        )
        for name, kind in _COMMON.items()
    ]
    parameters = [
        parameter.replace(annotation=hints[name])
        for name, parameter in signature.parameters.items()
        if name not in _COMMON
    ]
    run.__signature__ = signature.replace(parameters=[*parameters, *added])  # type: ignore[attr-defined]
    run.__annotations__ = hints | _COMMON
    del run.__wrapped__  # type: ignore[attr-defined] - the signature is no longer that one's
    return run


@contextmanager
def _warnings_in_words() -> Iterator[None]:
    """Context in which what the library warns of is a line of ours, without its place in the code.

    The class is known by its name: importing it would import PyTorch.
    """
    show_before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if category.__name__ == "AudioWarning":
            print_note(f"catok: warning: {message}")
        else:
            show_before(message, category, *where)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Context in which PyTorch, also in processes that are started, takes so many CPU threads."""
    if count is None:
        yield
        return
    check_count("--threads", count)
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(count)  # PyTorch asks for it when it is imported
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before

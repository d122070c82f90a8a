"""Where, when and with what figures were measured."""

import os
import platform
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

from catok.evaluation.markdown import readable

PACKAGES = (
    "torch",
    "numpy",
    "soxr",
    "pystoi",
    "pesq",
    "jiwer",
    "onnxruntime",
    "speechmos",
    "faster-whisper",
    "transformers",
)


def provenance(command: str, workers: int, threads: int | None) -> dict[str, Any]:
    """The command, the date (UTC), versions of what computes, and the machine."""
    from catok import __version__

    return {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "catok": __version__,
            "python": platform.python_version(),
            **{name: number for name in PACKAGES if (number := _version(name))},
        },
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "workers": workers,
            "threads": threads,
            "load_average": [round(load, 2) for load in os.getloadavg()]
            if hasattr(os, "getloadavg")
            else None,
            "system": platform.platform(),
        },
    }


def shareable_command(arguments: Sequence[str]) -> str:
    """A command line as one would type it, with what is absolute in it cut to the last parts."""
    program, *rest = arguments
    name = "catok" if Path(program).stem in ("catok", "__main__") else Path(program).name
    return readable(shlex.join([name, *map(short_path, rest)]))


def short_path(argument: str) -> str:
    """An absolute path, also after "KIND=" or "--option=", without the folders above its last two
    parts; any other argument as it is.
    """
    head, equals, tail = argument.rpartition("=")
    path = PurePath(tail)
    if not path.is_absolute() or len(path.parts) < 2:
        return argument
    return head + equals + str(PurePath(*path.parts[1:][-2:]))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

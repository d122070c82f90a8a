"""Where, when and with what figures were measured."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "torch",
    "numpy",
    "soxr",
    "pystoi",
    "pesq",
    "jiwer",
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
            **{name: found for name in PACKAGES if (found := _version(name))},
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

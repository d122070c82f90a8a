"""Codecs that are programs: found, run and timed."""

import shutil
import subprocess

from catok.evaluation.systems.base import timed


def require(package: str, *programs: str) -> None:
    """Raises ValueError that names the Debian package where a program is not installed."""
    for program in programs:
        if shutil.which(program) is None:
            raise ValueError(f"{program} is not installed: apt-get install {package}")


def run(*command: str) -> float:
    """Run a program to its end: wall-clock seconds, its start included.

    Raises ValueError with its own last words when it fails.
    """
    done, seconds = timed(lambda: subprocess.run(command, capture_output=True, text=True))
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        reason = words[-1] if words else f"exit status {done.returncode}"
        raise ValueError(f"{command[0]} failed: {reason}")
    return seconds

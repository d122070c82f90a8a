"""Locks on object stores, which have none: a file that its holder keeps changing while it works.

A lock whose holder is gone is taken over: at once where the holder was a process of this machine,
else after `PATIENCE` seconds in which the file does not change. No clocks are compared. Two runs
that find the folder free in the same moment may both begin; that costs time, not shards, since each
is put in its place in one step and both make the same bytes.
"""

import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Protocol

RENEWAL = 5.0  # seconds between changes
PATIENCE = 30.0  # seconds without one, after which the holder counts as gone


class Files(Protocol):
    """What a lock needs of a storage."""

    name: str

    def read(self, name: str) -> bytes | None:
        """The content of a file, or None."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Put a file in its place."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file."""
        ...


@contextmanager
def remote_lock(files: Files, name: str) -> Iterator[None]:
    """Context in which no other run may have the lock `name`. Raises ValueError if one has it."""
    _wait_for_the_dead(files, name)
    run_id, ended = secrets.token_hex(8), Event()

    def renew(beat: int) -> None:
        facts = {"run": run_id, "process": os.getpid(), "host": socket.gethostname(), "beat": beat}
        files.write(name, json.dumps(facts).encode())

    def keep() -> None:
        beat = 0
        while not ended.wait(RENEWAL):
            beat += 1
            with suppress(OSError):  # not to be reached now: tried again
                renew(beat)

    renew(0)
    if _read(files, name).get("run") != run_id:
        raise ValueError(f"{files.name} was taken by another run at the same time: start again")
    keeper = Thread(target=keep, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()
        if _read(files, name).get("run") == run_id:
            files.remove(name)


def _wait_for_the_dead(files: Files, name: str) -> None:
    """Return when nobody holds the lock. Raises ValueError where its holder is alive."""
    before = _read(files, name)
    if not before or _is_dead_here(before):
        return
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        time.sleep(min(1.0, PATIENCE / 4))
        now = _read(files, name)
        if not now:
            return
        if now != before:
            break
    else:
        return
    raise ValueError(
        f"{files.name} is in use by process {before.get('process')} on {before.get('host')}: wait "
        "until that ends, or choose another output folder"
    )


def _is_dead_here(holder: dict) -> bool:
    """Whether the holder was a process of this machine that has ended."""
    if holder.get("host") != socket.gethostname() or not isinstance(holder.get("process"), int):
        return False
    try:
        os.kill(holder["process"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _read(files: Files, name: str) -> dict:
    try:
        facts = json.loads(files.read(name) or b"{}")
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}

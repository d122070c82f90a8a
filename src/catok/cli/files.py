"""Which files a command reads and which it writes; standard input and output as if they were files.

Pipes cannot seek, which audio formats and `.cat` need: they are spooled through a temporary file.
"""

import io
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from catok.cli.errors import UsageError
from catok.data.folders import AUDIO_SUFFIXES, find_files

READS_AUDIO = AUDIO_SUFFIXES
READS_CAT = frozenset({".cat"})


@dataclass(frozen=True)
class Job:
    """One recording: what to read, and where the result goes (None: standard output)."""

    source: Path | BinaryIO
    target: Path | None

    @property
    def name(self) -> str:
        """The source, for messages."""
        return str(self.source) if isinstance(self.source, Path) else "standard input"


@dataclass(frozen=True)
class Plan:
    """All jobs of a command; `many` when folders or several inputs were given.

    `left_out`: files of the folders that are not jobs, by suffix.
    """

    jobs: list[Job]
    many: bool
    left_out: Counter[str] = field(default_factory=Counter)


def plan(inputs: tuple[str, ...], out: str | None, reads: frozenset[str], writes: str) -> Plan:
    """Expand the inputs and map each to its output.

    Folders are searched for files of the suffixes `reads` (see `find_files`). Outputs
    have the suffix `writes` and lie beside their inputs, or in the folder `out` as they lie in
    theirs. Raises UsageError for inputs that do not go together, ValueError when a folder holds
    nothing to read, an output would replace an input, or two inputs share an output.
    """
    if not inputs:
        raise UsageError("no input: name files or folders, or - for standard input")
    if "-" in inputs:
        if len(inputs) > 1:
            raise UsageError("standard input (-) goes alone: name the other inputs in another run")
        target = _target(None, "-" if out is None else out, writes)
        return Plan([Job(_spooled_stdin(), target)], many=False)
    source = Path(inputs[0])
    many = len(inputs) > 1 or source.is_dir()
    left_out: Counter[str] = Counter()
    if many:
        jobs = list(_many(inputs, out, reads, writes, left_out))
    else:
        jobs = [Job(source, _target(source, out, writes))]
    _check_apart(jobs)
    return Plan(jobs, many, left_out)


def _target(source: Path | None, out: str | None, writes: str) -> Path | None:
    if out == "-":
        if sys.stdout.isatty():
            raise UsageError("standard output is a terminal: name a file with -o, or use a pipe")
        return None
    if source is None:
        return Path(str(out))
    if out is None:
        return source.with_suffix(writes)
    return Path(out) / source.with_suffix(writes).name if Path(out).is_dir() else Path(out)


def _many(
    inputs: tuple[str, ...],
    out: str | None,
    reads: frozenset[str],
    writes: str,
    left_out: Counter[str],
) -> Iterator[Job]:
    if out == "-":
        raise UsageError("only one input fits on standard output: name a folder with -o")
    if out is not None and Path(out).exists() and not Path(out).is_dir():
        raise ValueError(f"{out} is a file: with several inputs -o names a folder")
    for path in map(Path, dict.fromkeys(inputs)):
        root = path if path.is_dir() else path.parent
        for source in _found(path, reads, left_out) if path.is_dir() else [path]:
            place = source if out is None else Path(out) / source.relative_to(root)
            yield Job(source, place.with_suffix(writes))


def _found(folder: Path, reads: frozenset[str], left_out: Counter[str]) -> list[Path]:
    found = find_files(folder, reads)
    if not found.files:
        wanted = "audio" if reads >= AUDIO_SUFFIXES else ", ".join(sorted(reads))
        besides = f" but {found.summary}" if found.left_out else ""
        raise ValueError(f"{folder} holds no {wanted} files{besides}: check the folder")
    left_out.update(found.left_out)
    return found.files


def _check_apart(jobs: list[Job]) -> None:
    sources = {job.source.resolve() for job in jobs if isinstance(job.source, Path)}
    taken: dict[Path, Job] = {}
    for job in jobs:
        if job.target is None:
            continue
        target = job.target.resolve()
        if target in sources:
            raise ValueError(f"{job.target} is an input and would be replaced: change -o")
        if target in taken and taken[target].name != job.name:
            raise ValueError(
                f"{taken[target].name} and {job.name} would both become {job.target}: rename one, "
                "or give them outputs in separate runs"
            )
        taken[target] = job


class _Spool(io.BufferedRandom):
    """A temporary file with a name that makes sense in messages."""

    name = "standard input or output"  # type: ignore[assignment]


def _spool() -> _Spool:
    return _Spool(tempfile.TemporaryFile(buffering=0))  # type: ignore[arg-type]


def _spooled_stdin() -> BinaryIO:
    if sys.stdin.isatty():
        raise UsageError("standard input is a terminal: name a file, or use a pipe")
    spool = _spool()
    shutil.copyfileobj(sys.stdin.buffer, spool)
    spool.seek(0)
    return spool


@contextmanager
def writable(target: Path | None) -> Iterator[Path | BinaryIO]:
    """The target for a library writer; standard output gets the result when all of it is there."""
    if target is not None:
        yield target
        return
    with _spool() as spool:
        yield spool
        spool.seek(0)
        shutil.copyfileobj(spool, sys.stdout.buffer)
        sys.stdout.buffer.flush()

"""Working through the jobs of a command: one, where errors end it, or many, where they do not."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catok.audio import AudioWarning
from catok.cli.errors import error_line
from catok.cli.files import Job, Plan
from catok.cli.progress import Progress
from catok.data.folders import summarize


@dataclass(frozen=True)
class Done:
    """What one job came to: seconds of audio, and a note if its input had to be converted."""

    seconds: float
    note: str = ""


def work_through(
    plan: Plan,
    work: Callable[[Job], Done],
    progress: Progress,
    *,
    verb: str,
    skip_existing: bool = False,
) -> int:
    """Do every job and return the exit code.

    The error of a single job is raised. Among many, a job that fails is reported and passed over,
    and a line at the end sums up; the exit code is 1 if any failed.
    """
    jobs = [job for job in plan.jobs if not (skip_existing and _exists(job))]
    if not plan.many:
        for job in jobs:
            with audio_warnings(progress):
                note = work(job).note
            if note:
                progress.say(f"catok: {note}")
        return 0
    started = time.monotonic()
    done: list[Done] = []
    incomplete = 0
    for job in jobs:
        try:
            _make_folder(job)
            with audio_warnings(progress) as warned:
                done.append(work(job))
            incomplete += bool(warned)
        except (ValueError, OSError) as error:
            progress.say(error_line(error, job.name))
    seconds = sum(item.seconds for item in done)
    speed = seconds / max(time.monotonic() - started, 1e-9)
    counts = {
        "skipped": len(plan.jobs) - len(jobs),
        "failed": len(jobs) - len(done),
        "converted in rate or channels": sum(bool(item.note) for item in done),
        "not read whole": incomplete,
    }
    extra = "".join(f", {count} {what}" for what, count in counts.items() if count)
    if plan.left_out:
        extra += f"; left out: {summarize(plan.left_out)}"
    progress.say(
        f"catok: {verb} {len(done)} of {len(plan.jobs)} files, {seconds:.1f} s of audio, "
        f"{speed:.1f} times real time{extra}"
    )
    return 1 if counts["failed"] else 0


@contextmanager
def audio_warnings(progress: Progress) -> Iterator[list[str]]:
    """Context in which the library's warnings of incomplete recordings are said, and listed."""
    said: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", AudioWarning)
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, AudioWarning):
                said.append(str(message))
                progress.say(f"catok: warning: {message}")
            else:
                others(message, category, *where)

        warnings.showwarning = show
        yield said


def _make_folder(job: Job) -> None:
    """The output's folder; but where the input is missing, the error to come leaves no trace."""
    if job.target is not None and isinstance(job.source, Path) and job.source.exists():
        job.target.parent.mkdir(parents=True, exist_ok=True)


def _exists(job: Job) -> bool:
    return job.target is not None and job.target.exists()

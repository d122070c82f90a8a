"""Working through the jobs of a command: one, where errors end it, or many, where they do not."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from catok.cli.errors import error_line
from catok.cli.files import FileJob, FilePlan
from catok.cli.progress import Progress
from catok.cli.terminal import print_error, print_note
from catok.data.folders import summarize


@dataclass(frozen=True)
class JobResult:
    """What one job came to: seconds of audio, a note if its input had to be converted, and more
    to say of it in the summary of a single job, such as its bitrate. `text`: what it wrote down.
    """

    seconds: float
    note: str = ""
    detail: str = ""
    text: str = ""


Work = Callable[[FileJob], JobResult]


class BatchTask(Protocol):
    """What a command does with every recording; a picklable value, for worker processes."""

    def start(self, progress: Progress) -> Work:
        """Load what is needed; returns what does one job and reports to `progress`."""
        ...


def work_through(
    plan: FilePlan,
    task: BatchTask,
    total: Callable[[], float],
    *,
    verb: str,
    workers: int = 1,
    threads: int | None = None,
    take: Callable[[JobResult], None] = lambda done: None,
) -> int:
    """Do every job and return the exit code.

    The error of a single job is raised. Among many, a job that fails is reported and passed over;
    the exit code is 1 if any failed. A line at the end sums up. `total`: seconds of all audio, for
    a bar; several `workers` are processes, of `threads` each. `take` is given what every job came
    to, in this process, one at a time.
    """
    done: list[JobResult] = []
    failed = incomplete = 0
    with Progress(total) as progress:
        outcomes = _outcomes(plan, task, progress, workers, threads)
        started = time.monotonic()
        for job, outcome in outcomes:
            for warning in outcome.warnings:
                print_note(f"catok: warning: {warning}")
            result = _take_result(outcome.result, take)
            if isinstance(result, JobResult):
                done.append(result)
                incomplete += bool(outcome.warnings)
            elif not plan.many:
                raise result
            else:
                failed += 1
                print_error(error_line(result, job.name))
    if plan.many or done:
        _print_summary(plan, done, failed, incomplete, time.monotonic() - started, verb)
    elif plan.kept:
        print_note("catok: nothing to do, the output exists already")
    return 1 if failed else 0


def speed_text(seconds: float, elapsed: float) -> str:
    """How fast so much audio was worked off."""
    factor = elapsed / max(seconds, 1e-9)
    return f"{1 / max(factor, 1e-9):.1f} times real time (real-time factor {factor:.3f})"


def _print_summary(
    plan: FilePlan, done: list[JobResult], failed: int, incomplete: int, elapsed: float, verb: str
) -> None:
    seconds = sum(item.seconds for item in done)
    where = f", {plan.where}" if plan.where and done else ""
    if not plan.many:
        (item,) = done
        if item.note:
            print_note(f"catok: {item.note}")
        detail = f", {item.detail}" if item.detail else ""
        print_note(
            f"catok: {verb} {seconds:.2f} s of audio{detail}, {speed_text(seconds, elapsed)}{where}"
        )
        return
    counts = {
        "skipped since they exist (--overwrite replaces them)": plan.kept,
        "failed": failed,
        "converted in rate or channels": sum(bool(item.note) for item in done),
        "not read whole": incomplete,
    }
    extra = "".join(f", {count} {what}" for what, count in counts.items() if count)
    details = {item.detail for item in done}
    detail = f", {details.pop()}" if len(details) == 1 and any(details) else ""
    if plan.left_out:
        extra += f"; left out: {summarize(plan.left_out)}"
    speed = f", {speed_text(seconds, elapsed)}" if done else ""
    of = len(plan.jobs) + plan.kept
    audio = f"{seconds:.1f} s of audio{detail}{speed}{where}"
    print_note(f"catok: {verb} {len(done)} of {of} files, {audio}{extra}")


def _take_result(
    result: JobResult | Exception, take: Callable[[JobResult], None]
) -> JobResult | Exception:
    """The result, or what went wrong when it was taken."""
    if isinstance(result, JobResult):
        try:
            take(result)
        except BrokenPipeError:
            raise
        except (ValueError, OSError) as error:
            return error
    return result


@dataclass(frozen=True)
class JobOutcome:
    """The result or error of a job, and the warnings of audio that was not read whole."""

    result: JobResult | Exception
    warnings: tuple[str, ...] = ()


def _outcomes(
    plan: FilePlan, task: BatchTask, progress: Progress, workers: int, threads: int | None
) -> Iterator[tuple[FileJob, JobOutcome]]:
    """What every job came to, as it is done; what the work needs is loaded before."""
    if not plan.jobs:
        return iter(())
    if workers == 1 or len(plan.jobs) == 1:
        work = task.start(progress)
        return ((job, _run_job(work, job)) for job in plan.jobs)
    return _shared_out(plan.jobs, task, progress, min(workers, len(plan.jobs)), threads)


def _shared_out(
    jobs: list[FileJob], task: BatchTask, progress: Progress, workers: int, threads: int | None
) -> Iterator[tuple[FileJob, JobOutcome]]:
    from catok.worker_pool import WorkerPool

    with WorkerPool(partial(_start_in_worker, task), workers, threads) as pool:
        for index, outcome in pool.imap_unordered(_numbered, enumerate(jobs)):
            if isinstance(outcome.result, JobResult):
                progress.advance(outcome.result.seconds)
            yield jobs[index], outcome


def _start_in_worker(task: BatchTask) -> Work:
    """In a worker: what does its jobs; the bar is the parent's."""
    return task.start(Progress(lambda: 0.0))


def _numbered(work: Work, item: tuple[int, FileJob]) -> tuple[int, JobOutcome]:
    index, job = item
    return index, _run_job(work, job)


def _run_job(work: Work, job: FileJob) -> JobOutcome:
    from catok.audio import audio_warnings

    with audio_warnings() as warned:
        try:
            if job.target is not None and isinstance(job.source, Path) and job.source.exists():
                job.target.parent.mkdir(parents=True, exist_ok=True)
            result = work(job)
        except BrokenPipeError:
            raise
        except (ValueError, OSError, MemoryError) as error:
            result = error
    return JobOutcome(result, tuple(warned))

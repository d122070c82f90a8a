"""Worker processes: results, errors, and how they end."""

import os
import signal
import time

import pytest

from catok.worker_pool import WorkerPool, raise_if_cancelled

pytestmark = pytest.mark.slow


def make_tools() -> dict:
    return {"pid": os.getpid(), "used": 0}


def fail_to_make() -> dict:
    raise ValueError("no such model")


def work(tools: dict, item: int) -> tuple[int, int, int]:
    tools["used"] += 1
    time.sleep(0.05)
    return item * item, tools["pid"], tools["used"]


def work_for_long(tools: dict, item: int) -> None:
    if item % 2:
        time.sleep(40)  # as in a library that cannot be asked to stop
    for _ in range(4000):
        time.sleep(0.01)
        raise_if_cancelled()


def test_one_worker_is_this_process():
    with WorkerPool(make_tools) as pool:
        results = list(pool.imap_unordered(work, range(3)))
    assert results == [(0, os.getpid(), 1), (1, os.getpid(), 2), (4, os.getpid(), 3)]
    with pytest.raises(ValueError, match="no such model"), WorkerPool(fail_to_make) as pool:
        pool.call(work, 1)
    with pytest.raises(ValueError, match="at least 1"):
        WorkerPool(make_tools, workers=0)


def test_several_workers_build_their_tools_once_and_stop_when_told():
    with WorkerPool(make_tools, workers=2, threads=1) as pool:
        results = list(pool.imap_unordered(work, range(40)))
        assert sorted(value for value, _, _ in results) == [n * n for n in range(40)]
        workers = {pid for _, pid, _ in results}
        assert len(workers) == 2
        assert os.getpid() not in workers
        used = [max(count for _, pid, count in results if pid == worker) for worker in workers]
        assert sum(used) == 40
    with pytest.raises(KeyboardInterrupt), WorkerPool(make_tools, workers=2, threads=1) as pool:
        pool.call(work, 1)
        begun = time.monotonic()
        for _ in pool.imap_unordered(work_or_wait, range(9)):
            raise KeyboardInterrupt
    assert time.monotonic() - begun < 20


def work_or_wait(tools: dict, item: int) -> int:
    if item:
        work_for_long(tools, item)
    return item


def test_a_second_interrupt_does_not_break_into_the_dismissal():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), WorkerPool(make_tools, workers=2):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            second_was_ignored = True
    assert second_was_ignored
    assert signal.getsignal(signal.SIGINT) is before


def vanish(tools: dict, item: int) -> None:
    os._exit(9)


def test_errors_of_workers_are_raised_here():
    with pytest.raises(ValueError, match="fewer workers"), WorkerPool(make_tools, 2, 1) as pool:
        pool.call(vanish, 1)
    with pytest.raises(ValueError, match="no such model"), WorkerPool(fail_to_make, 2, 1) as pool:
        pool.call(work, 1)

"""Reading ahead in threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def prefetch(requests: Iterable[Callable[[], T]], workers: int = 0) -> Iterator[T]:
    """The results of calling the `requests`, in their order.

    `workers` threads read ahead, one request each (0: called when asked for, in this thread).
    `requests` itself is iterated over in this thread only.
    """
    if workers < 1:
        for request in requests:
            yield request()
        return
    pending: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="catok-data") as pool:
        try:
            for request in requests:
                pending.append(pool.submit(request))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

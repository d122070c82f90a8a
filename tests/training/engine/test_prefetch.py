import threading
from functools import partial

import pytest

from catok.training.engine.prefetch import prefetch


def squares(numbers, asked):
    """Requests, each noted when it is asked for."""
    for number in numbers:
        asked.append((number, threading.current_thread() is threading.main_thread()))
        yield partial(pow, number, 2)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order_and_requests_are_made_here(workers):
    asked = []
    assert list(prefetch(squares(range(7), asked), workers)) == [n * n for n in range(7)]
    assert asked == [(n, True) for n in range(7)]


def test_no_more_is_read_ahead_than_there_are_workers():
    asked = []
    results = prefetch(squares(range(100), asked), workers=2)
    assert next(results) == 0 and len(asked) == 3


def test_it_stops_with_its_reader():
    results = prefetch(squares(range(1_000_000), []), workers=2)
    next(results)
    results.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("catok-data")]


def test_errors_come_out_of_the_workers():
    def broken():
        raise ValueError("cannot be read")

    with pytest.raises(ValueError, match="cannot be read"):
        list(prefetch([broken], workers=2))

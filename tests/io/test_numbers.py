import math

import numpy as np
import pytest

from catok.io.numbers import check_number, check_whole_number


def test_numbers_within_their_bounds_pass():
    check_number("x", 0.5, at_least=0, at_most=1)
    check_number("x", np.float32(1), above=0)
    check_whole_number("n", np.int64(3), at_least=1)
    check_whole_number("n", 0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "1", None])
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(ValueError, match="x must be a finite number, got"):
        check_number("x", value)


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (0, {"above": 0}, "x must be above 0, got 0"),
        (1.5, {"at_least": 0, "at_most": 1}, "x must be from 0 to 1, got 1.5"),
        (0, {"above": 0, "at_most": 1}, "x must be above 0 and at most 1, got 0"),
        (-1, {"at_least": 0}, "x must be at least 0, got -1"),
    ],
)
def test_what_is_out_of_bounds_is_told_the_bounds(value, bounds, message):
    with pytest.raises(ValueError, match=message):
        check_number("x", value, **bounds)


def test_whole_numbers_have_no_fraction():
    with pytest.raises(ValueError, match="n must be a whole number, got 2.0"):
        check_whole_number("n", 2.0)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        check_whole_number("n", 0, at_least=1)

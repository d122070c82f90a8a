"""Checks of numbers that a person gives: of the right kind, finite and in range."""

import math
from numbers import Integral, Real
from typing import Any


def check_number(
    name: str,
    value: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
) -> None:
    """ValueError unless `value` is a finite number within the bounds; None sets no bound."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    size = float(value)
    low = at_least is None or size >= at_least
    if not (low and (above is None or size > above) and (at_most is None or size <= at_most)):
        raise ValueError(f"{name} must be {_bounds(at_least, above, at_most)}, got {value}")


def check_whole_number(
    name: str, value: Any, *, at_least: int | None = None, at_most: int | None = None
) -> None:
    """The same for whole numbers."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    low = at_least is None or value >= at_least  # type: ignore[operator]
    if not (low and (at_most is None or value <= at_most)):  # type: ignore[operator]
        raise ValueError(f"{name} must be {_bounds(at_least, None, at_most)}, got {value}")


def _bounds(at_least: float | None, above: float | None, at_most: float | None) -> str:
    if at_least is not None and at_most is not None:
        return f"from {at_least} to {at_most}"
    low = f"at least {at_least}" if at_least is not None else ""
    low = f"above {above}" if above is not None else low
    high = f"at most {at_most}" if at_most is not None else ""
    return " and ".join(bound for bound in (low, high) if bound)

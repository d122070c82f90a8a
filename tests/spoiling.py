"""JSON values with a few places changed, as a damaged or hostile file would have them."""

import copy
from typing import Any

from hypothesis import strategies as st

JUNK = (
    st.sampled_from([None, True, "x", "", [], {}, [[]], 0, -1, 1, 2, 7, 1.5, 1e300, 2**62, 10**30])
    | st.text(max_size=5)
    | st.lists(st.integers(), max_size=3)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)


def places(value: Any, path: tuple = ()):
    """Paths of everything inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


def spoilt(value: Any, draw: Any) -> Any:
    """A copy with one or two places changed, or left out."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 2))):
        *path, last = draw(st.sampled_from(list(places(value))))
        inside = value
        for key in path:
            inside = inside[key]
        if draw(st.booleans()) and isinstance(inside, dict):
            del inside[last]
        else:
            inside[last] = draw(JUNK)
    return value

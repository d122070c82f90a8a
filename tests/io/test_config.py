from dataclasses import dataclass
from typing import Literal

import pytest

from catok.io.config import read_config


@dataclass(frozen=True)
class Inner:
    size: int = 1


@dataclass(frozen=True)
class Other:
    width: int
    depth: int = 2


@dataclass(frozen=True)
class Outer:
    name: str
    rate: float = 1.0
    kind: Literal["a", "b"] = "a"
    pair: tuple[float, float] = (0.0, 1.0)
    parts: tuple[Inner | Other, ...] = ()
    weights: dict[str, float] | None = None
    flag: bool = False


def test_nested_data_becomes_nested_dataclasses():
    data = {
        "name": "x",
        "rate": 2,
        "pair": [1, 2],
        "parts": [{"size": 3}, {"width": 4}],
        "weights": {"a": 1},
        "kind": "b",
    }
    made = read_config(Outer, data, "outer")
    assert made == Outer("x", 2.0, "b", (1.0, 2.0), (Inner(3), Other(4)), {"a": 1.0})
    assert isinstance(made.rate, float)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "x", "nmae": 1}, r"unknown keys in outer: \['nmae'\]"),
        ({}, r"missing keys in outer: \['name'\]"),
        ({"name": 3}, "outer.name must be str"),
        ({"name": "x", "rate": "fast"}, "outer.rate must be float"),
        ({"name": "x", "rate": True}, "outer.rate must be float"),
        ({"name": "x", "kind": "c"}, "outer.kind must be one of"),
        ({"name": "x", "pair": [1]}, "outer.pair must hold 2 values"),
        ({"name": "x", "pair": "ab"}, "outer.pair must be a list"),
        ({"name": "x", "parts": [{"width": 4, "dpeth": 1}]}, r"outer.parts\[0\]: \['dpeth'\]"),
        ({"name": "x", "weights": [1]}, "outer.weights must be a table"),
        ([], "outer must be a table"),
    ],
)
def test_errors_name_the_key(data, message):
    with pytest.raises(ValueError, match=message):
        read_config(Outer, data, "outer")

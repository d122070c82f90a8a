"""JSON and TOML from strangers: read, or a ValueError that says where."""

import json
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.io.json import MAX_DEPTH, parse_json, read_json
from catok.io.toml import parse_toml, read_toml

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
@settings(max_examples=50, deadline=None)
def test_what_json_writes_is_read(value):
    assert parse_json(json.dumps(value), "here") == value


@given(st.text() | st.binary() | st.text('[]{}",:0123456789eE+-.tfnualsrNIiy \\', max_size=40))
@settings(max_examples=300, deadline=None)
def test_anything_else_is_a_value_error(text):
    try:
        parse_json(text, "here")
    except ValueError as error:
        assert str(error).startswith("here ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "levels deep"),
        ('{"a":' * 200 + "1" + "}" * 200, "levels deep"),
        ("[NaN]", "NaN is not a finite number"),
        ("[-Infinity]", "-Infinity is not a finite number"),
        ("[1e999]", "not a finite number"),
        ("1" * 5000, "5000 digits"),
        (b'"\xff"', "not valid JSON"),
        ("", "not valid JSON"),
    ],
)
def test_what_the_standard_parser_lets_through_or_trips_over(text, message):
    with pytest.raises(ValueError, match=f"^row 3 .*{message}"):
        parse_json(text, "row 3")


def test_nesting_up_to_the_bound_is_read():
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert json.dumps(parse_json(deep, "x")) == deep
    wide = json.dumps([[1]] * 1000)
    assert parse_json(wide, "x") == [[1]] * 1000


def test_a_file_is_an_object_in_a_regular_file_of_bounded_size(tmp_path):
    path = tmp_path / "config.json"
    with pytest.raises(ValueError, match="holds no config.json: it is another kind of folder"):
        read_json(path)
    path.write_text('\ufeff{"a": 1}')
    assert read_json(path) == {"a": 1}
    with pytest.raises(ValueError, match="more than the 5 that are read"):
        read_json(path, max_bytes=5)
    path.write_text("[1]")
    with pytest.raises(ValueError, match="must hold a JSON object, got list"):
        read_json(path)
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ValueError, match="not UTF-8"):
        read_json(path)


@pytest.mark.parametrize("reader", [read_json, read_toml])
def test_pipes_devices_and_folders_are_refused_at_once(tmp_path, reader):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    begun = time.monotonic()
    for name in ("pipe", "link", "."):
        with pytest.raises(ValueError, match="not a regular file"):
            reader(tmp_path / name)
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize(
    "text", ["x = " + "[" * 5000, "x = nan", "x = -inf", "x = 1e999", "x = ", "x = 1" + "0" * 5000]
)
def test_toml_that_cannot_be_read(text):
    with pytest.raises(ValueError, match=r"^r\.toml "):
        parse_toml(text, "r.toml")

"""The `.cat` parser under attack: a ValueError, and no more memory than the file has bytes for."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.io.cat_file import CatHeader, pack_codes, read_cat, unpack_codes, write_cat


def cat_bytes() -> bytes:
    file = io.BytesIO()
    write_cat(
        file, CatHeader(3, 24_000, 1, 1920, 1000, 7, 13_000, "", "m"), np.arange(21).reshape(3, 7)
    )
    return file.getvalue()


GOOD = cat_bytes()


def crafted(numbers: list[int], model_id: bytes, rest: bytes) -> bytes:
    """A file whose header has a right checksum, whatever it says."""
    count, *others = numbers
    body = struct.pack("<4sHHIHIIIQ8sB", b"CATK", 1, count, *others, b"\0" * 8, len(model_id))
    body += model_id + bytes(4 * min(count, 1000))
    return body + struct.pack("<I", zlib.crc32(body)) + rest


def flipped(change: tuple[int, int]) -> bytes:
    """A good file with some bits of one byte flipped."""
    place, bits = change
    return GOOD[:place] + bytes([GOOD[place] ^ bits]) + GOOD[place + 1 :]


numbers = st.tuples(
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**16 - 1),
    *[st.integers(0, 2**32 - 1)] * 3,
    st.integers(0, 2**64 - 1),
)
small = st.tuples(*[st.integers(0, 4)] * 7)


@pytest.mark.slow
@given(
    st.binary(max_size=200)
    | st.tuples(st.integers(0, len(GOOD) - 1), st.integers(1, 255)).map(
        lambda change: (
            GOOD[: change[0]] + bytes([GOOD[change[0]] ^ change[1]]) + GOOD[change[0] + 1 :]
        )
    )
    | st.integers(0, len(GOOD) - 1).map(lambda end: GOOD[:end])
    | st.builds(
        crafted,
        (numbers | small).map(list),
        st.binary(max_size=60),
        st.binary(max_size=8),
    )
)
@settings(max_examples=400, deadline=None)
def test_what_is_no_whole_file_is_a_value_error(data):
    try:
        _, codes = read_cat(io.BytesIO(data))
    except ValueError:
        return
    assert codes.size <= 64 * len(data)


def test_memory_is_bounded_by_the_codes():
    frames, codes = 2_000_000, np.zeros(2_000_000, dtype=np.int64)
    data = pack_codes(codes, 2)
    tracemalloc.start()
    try:
        assert np.array_equal(unpack_codes(data, frames, 2), codes)
        assert tracemalloc.get_traced_memory()[1] < 1.5 * codes.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("frames", [1, 65_536, 65_537, 200_003])
@pytest.mark.parametrize("codebook_size", [2, 1000, 2**17])
def test_packing_is_undone_across_blocks(frames, codebook_size):
    codes = np.random.default_rng(0).integers(0, codebook_size, frames)
    assert np.array_equal(
        unpack_codes(pack_codes(codes, codebook_size), frames, codebook_size), codes
    )


def test_content_that_is_no_file_is_told_from_one():
    with pytest.raises(ValueError, match="got bytes: give a path as text, or wrap"):
        read_cat(b"CATK")

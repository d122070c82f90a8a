"""The `.cat` file: the documented bytes, read back whole, by prefix, and from damage."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.random_codes import HASH, make, same, to_bytes

from catok.codes import Encoded
from catok.io.cat_file import bits_per_code, pack_codes, read_header, unpack_codes


def test_packing_is_the_documented_one():
    # 3-bit codes 1, 2, 7, most significant bit first: 001 010 111 then zeros to the byte
    assert pack_codes(np.array([1, 2, 7]), 8) == bytes([0b00101011, 0b10000000])
    assert [bits_per_code(size) for size in (2, 3, 4, 1000, 1024, 1025, 65536)] == [
        *(1, 2, 2, 10, 10, 11, 16)
    ]


@given(st.integers(2, 2**20), st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_packing_round_trip(size, frames, seed):
    codes = np.random.default_rng(seed).integers(0, size, frames)
    codes[0] = size - 1
    data = pack_codes(codes, size)
    assert len(data) == -(-frames * bits_per_code(size) // 8)
    assert np.array_equal(unpack_codes(data, frames, size), codes)


@settings(deadline=None)
@given(
    quantizers=st.integers(1, 40),
    length=st.integers(1, 3000),
    frame_size=st.integers(1, 400),
    codebook_size=st.integers(2, 65536),
    model_id=st.text(max_size=10),
    weight_hash=st.sampled_from(["", HASH]),
    seed=st.integers(0, 1000),
)
def test_file_round_trip(
    quantizers, length, frame_size, codebook_size, model_id, weight_hash, seed
):
    enc = make(
        (length,),
        quantizers,
        codebook_size,
        frame_size,
        seed,
        sample_rate=48000,
        channels=2,
        model_id=model_id,
        weight_hash=weight_hash,
    )
    data = to_bytes(enc)
    assert same(Encoded.load(io.BytesIO(data)), enc)
    header = read_header(io.BytesIO(data))
    plane = -(-enc.codes.shape[2] * bits_per_code(codebook_size) // 8)
    assert len(data) == header.file_size == header.header_size + quantizers * plane
    assert (header.frames, header.samples) == (enc.codes.shape[2], length)
    assert header.header_size == 43 + len(model_id.encode()) + 4 * (quantizers + 1)
    k = 1 + seed % quantizers
    assert same(Encoded.load(io.BytesIO(data), num_quantizers=k), enc.prefix(k))


def test_header_and_rate_cost(tmp_path):
    """An hour at 4 kbps takes 1.8 MB, and the header of 32 codebooks at most 256 bytes."""
    enc = make((24000 * 3600,), quantizers=32, model_id="m" * 40)
    path = tmp_path / "hour.cat"
    enc.save(path)
    header = read_header(path)
    assert header.header_size <= 256
    assert path.stat().st_size == header.header_size + 4000 * 3600 // 8
    assert header.seconds == 3600
    assert same(Encoded.load(path), enc)


class CountingFile(io.BytesIO):
    read_bytes = 0

    def read(self, size=-1, /):
        data = super().read(size)
        self.read_bytes += len(data)
        return data


def test_prefix_reads_only_its_bytes_and_ignores_damage_behind_it(tmp_path):
    enc = make((200_000,), quantizers=32)
    path = tmp_path / "x.cat"
    enc.save(path)
    header = read_header(path)
    data = bytearray(path.read_bytes())
    wanted = header.header_size + 8 * header.plane_size

    file = CountingFile(data)
    assert same(Encoded.load(file, num_quantizers=8), enc.prefix(8))
    assert file.read_bytes == wanted

    data[wanted] ^= 1  # the first byte of codebook 9
    path.write_bytes(data)
    assert same(Encoded.load(path, num_quantizers=8), enc.prefix(8))
    with pytest.raises(ValueError, match=r"x\.cat is damaged \(codebook 9\)"):
        Encoded.load(path, num_quantizers=9)


def test_every_bit_flip_is_found():
    data = to_bytes(make((5000,), quantizers=3, codebook_size=1000))
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match=r"damaged|not a \.cat|newer|cut short|longer"):
            Encoded.load(io.BytesIO(damaged))


def test_every_truncation_and_trailing_bytes_are_found():
    data = to_bytes(make((5000,), quantizers=3))
    for length in range(len(data)):
        with pytest.raises(ValueError, match=r"cut short|not a \.cat"):
            Encoded.load(io.BytesIO(data[:length]))
        with pytest.raises(ValueError, match=r"cut short|not a \.cat"):
            read_header(io.BytesIO(data[:length]))
    with pytest.raises(ValueError, match="longer than its header says"):
        Encoded.load(io.BytesIO(data + b"\0"))
    with pytest.raises(ValueError, match="cut short"):  # also where the prefix itself is whole
        Encoded.load(io.BytesIO(data[:-1]), num_quantizers=1)


def test_newer_version_and_other_files(tmp_path):
    data = bytearray(to_bytes(make()))
    struct.pack_into("<H", data, 4, 2)
    with pytest.raises(ValueError, match="version 2, written by a newer catok: upgrade"):
        Encoded.load(io.BytesIO(data))
    with pytest.raises(ValueError, match=r"not a \.cat file"):
        Encoded.load(io.BytesIO(b"RIFF" + bytes(100)))
    with pytest.raises(ValueError, match=r"cannot open .*none\.cat: No such file"):
        Encoded.load(tmp_path / "none.cat")


def test_a_forged_code_outside_the_codebook_is_refused():
    """Right checksums do not make code 1023 of a 1000-code book acceptable."""
    data = to_bytes(make((1,), quantizers=1, codebook_size=1000, model_id=""))
    plane = b"\xff\xc0"
    body = data[:43] + struct.pack("<I", zlib.crc32(plane))
    forged = body + struct.pack("<I", zlib.crc32(body)) + plane
    with pytest.raises(ValueError, match="found 1023"):
        Encoded.load(io.BytesIO(forged))


def test_load_from_a_pipe_and_from_the_middle_of_a_file(tmp_path):
    enc = make()
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as file:
        enc.save(file)
    with os.fdopen(read_end, "rb") as file:
        assert same(Encoded.load(file), enc)
    embedded = io.BytesIO(b"before" + to_bytes(enc))
    embedded.seek(6)
    assert same(Encoded.load(embedded), enc)


def test_load_refuses_more_codebooks_than_there_are():
    data = to_bytes(make(quantizers=4))
    for bad in (0, 5):
        with pytest.raises(ValueError, match=f"holds 4 codebooks: ask for 1 to 4, not {bad}"):
            Encoded.load(io.BytesIO(data), num_quantizers=bad)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("é" * 20, "é" * 20),
        ("é" * 21, "é" * 20),
        ("a" + "é" * 20, "a" + "é" * 19),
        (
            "MOSS-Audio-Tokenizer-Nano-finetuned-on-speech",
            "MOSS-Audio-Tokenizer-Nano-finetuned-on-s",
        ),
        ("caf\udce9", "caf?"),  # of a folder whose name is not UTF-8
    ],
)
def test_of_a_long_model_id_whole_characters_are_kept(tmp_path, name, kept):
    make(model_id=name).save(tmp_path / "x.cat")
    assert Encoded.load(tmp_path / "x.cat").model_id == kept


def test_save_refuses(tmp_path):
    with pytest.raises(ValueError, match=r"holds one row, this batch has 2: .*enc\.rows\(\)"):
        make(lengths=(100, 200)).save(tmp_path / "x.cat")
    with pytest.raises(ValueError, match=r"folder .*missing does not exist, create it first"):
        make().save(tmp_path / "missing" / "x.cat")
    with pytest.raises(ValueError, match="not a regular file"):
        make().save(tmp_path)
    with pytest.raises(ValueError, match=r"needs 1 <= channels < 2\*\*16"):
        make(channels=2**16).save(tmp_path / "y.cat")


def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.cat"
    make(seed=1).save(path)
    old = path.read_bytes()

    def full_disk(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="disk full"):
        make(seed=2).save(path)
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.cat"]


def test_save_through_a_symbolic_link_keeps_the_link(tmp_path):
    target, link = tmp_path / "target.cat", tmp_path / "link.cat"
    make(seed=1).save(target)
    link.symlink_to(target)
    make(seed=2).save(link)
    assert link.is_symlink()
    assert same(Encoded.load(target), make(seed=2))


def test_saved_files_have_ordinary_permissions(tmp_path: Path):
    make().save(tmp_path / "x.cat")
    (tmp_path / "plain").touch()
    assert (tmp_path / "x.cat").stat().st_mode == (tmp_path / "plain").stat().st_mode

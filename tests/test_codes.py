"""`Encoded` and the `.cat` file: round trips, prefixes, and every kind of damage."""

import io
import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import catok
from catok.codes import Encoded
from catok.io.cat_file import bits_per_code, pack_codes, read_header, unpack_codes

HASH = "0123456789abcdef"


def make(
    lengths=(5000,), quantizers=4, codebook_size=1024, frame_size=1920, seed=0, **fields
) -> Encoded:
    sample_lengths = torch.tensor(lengths)
    frames = -(-max(lengths) // frame_size)
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), quantizers, frames)
    codes = torch.randint(0, codebook_size, shape, generator=generator)
    fields = {"sample_rate": 24000, "channels": 1, "model_id": "tiny", "weight_hash": HASH} | fields
    return Encoded(
        codes, sample_lengths, frame_size=frame_size, codebook_size=codebook_size, **fields
    )


def to_bytes(enc: Encoded) -> bytes:
    file = io.BytesIO()
    enc.save(file)
    return file.getvalue()


def same(a: Encoded, b: Encoded) -> bool:
    names = ["sample_rate", "channels", "frame_size", "codebook_size", "model_id", "weight_hash"]
    return (
        torch.equal(a.codes, b.codes)
        and torch.equal(a.sample_lengths, b.sample_lengths)
        and all(getattr(a, name) == getattr(b, name) for name in names)
    )


# --- Encoded ------------------------------------------------------------------------------------


def test_properties():
    enc = make(lengths=(1, 1920, 1921), quantizers=8)
    assert (enc.batch_size, enc.num_quantizers, enc.frame_rate) == (3, 8, 12.5)
    assert enc.frame_lengths.tolist() == [1, 1, 2]
    assert enc.duration.tolist() == [1 / 24000, 0.08, 1921 / 24000]
    assert enc.bitrate == 1000.0
    assert enc.prefix(1).bitrate == 125.0


def test_prefix():
    enc = make(quantizers=4)
    assert torch.equal(enc.prefix(3).codes, enc.codes[:, :3])
    assert same(enc.prefix(4), enc)
    for bad in (0, 5, -1):
        with pytest.raises(ValueError, match=f"have 4 codebooks: ask for 1 to 4, not {bad}"):
            enc.prefix(bad)


def test_rows_are_trimmed_and_stack_restores_them():
    enc = make(lengths=(100, 5000, 1920))
    rows = list(enc.rows())
    assert [row.codes.shape[2] for row in rows] == [1, 3, 1]
    assert [int(row.sample_lengths) for row in rows] == [100, 5000, 1920]
    for index, row in enumerate(rows):
        assert torch.equal(row.codes[0], enc.codes[index, :, : row.codes.shape[2]])
    assert same(enc[-1], rows[2])
    for beyond in (3, -4):
        with pytest.raises(IndexError, match=f"row {beyond} of a batch of 3"):
            enc[beyond]

    again = Encoded.stack([Encoded.stack(rows[:2]), rows[2]])
    assert torch.equal(again.sample_lengths, enc.sample_lengths)
    for a, b in zip(again.rows(), rows, strict=True):
        assert same(a, b)
    assert again.codes[0, :, 1:].eq(0).all()


def test_a_batch_is_a_sequence_of_its_rows():
    batch = make(lengths=(5 * 1920, 100, 3000))
    assert len(batch) == batch.batch_size == 3
    assert [row.codes.shape[2] for row in batch] == [5, 1, 2]
    for index in (-1, np.int64(2)):
        assert torch.equal(batch[index].codes, batch.codes[2:, :, :2])
    assert batch[1:].codes.shape[2] == 2 and batch[1:].sample_lengths.tolist() == [100, 3000]
    assert batch[::-2].sample_lengths.tolist() == [3000, 9600]
    for wrong in (3, -4):
        with pytest.raises(IndexError, match="batch of 3"):
            batch[wrong]
    with pytest.raises(ValueError, match="no rows"):
        batch[3:]
    with pytest.raises(TypeError):
        batch[1.0]


def test_torch_saves_and_loads_codes_and_checks_them():
    def loaded(batch):
        file = io.BytesIO()
        torch.save(batch, file)
        file.seek(0)
        return torch.load(file)

    assert same(loaded(make()), make())
    forged = make()
    object.__setattr__(forged, "codes", forged.codes.float())
    with pytest.raises(ValueError, match="codes must be int64"):
        loaded(forged)


def test_the_package_lists_its_public_names():
    assert set(catok.__all__) <= set(dir(catok))
    assert not {"Any", "import_module", "lazy_names"} & set(dir(catok))
    assert all(getattr(catok, name) for name in dir(catok))


def test_repr_says_what_one_wants_to_know():
    batch = make(lengths=(24_000, 48_000))
    text = repr(batch)
    for fact in ("batch_size=2", "duration=1.00 to 2.00 s", "bitrate=", "num_quantizers="):
        assert fact in text
    assert "duration=1.00 s" in repr(batch[0])
    assert "tensor" not in text and len(text) < 250


def test_stack_refuses_what_differs():
    with pytest.raises(ValueError, match="nothing to stack"):
        Encoded.stack([])
    with pytest.raises(ValueError, match=r"differ in num_quantizers .*prefix\(\)"):
        Encoded.stack([make(quantizers=4), make(quantizers=3)])
    with pytest.raises(ValueError, match="differ in model_id"):
        Encoded.stack([make(), make(model_id="other")])


def test_to_keeps_everything():
    assert same(make().to("cpu"), make())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codes": torch.zeros(1, 4, 3, dtype=torch.int32)}, r"codes must be int64.*`\.long\(\)`"),
        ({"codes": torch.zeros(1, 4, 3)}, r"codes must be int64, got torch.float32"),
        ({"sample_lengths": torch.tensor([5000.0])}, r"sample_lengths must be int64"),
        ({"codes": torch.zeros(4, 3).long()}, r"expected codes \[B, K, F\].*`codes\[None\]`"),
        ({"codes": torch.zeros(1, 1, 4, 3).long()}, r"expected codes \[B, K, F\], got shape"),
        ({"codes": torch.zeros(1, 0, 3).long()}, "are empty"),
        ({"codes": torch.zeros(4, 1, 3).long()}, r"look like \[K, B, F\]"),
        ({"codes": torch.zeros(1, 3, 4).long()}, r"look like \[B, F, K\]"),
        ({"codes": torch.zeros(1, 4, 5).long()}, "samples per channel, not frames"),
        ({"sample_lengths": torch.tensor(5000)}, r"expected sample_lengths \[B\]"),
        ({"sample_lengths": torch.tensor([5000, 1])}, "with B = 2 sample_lengths"),
        ({"sample_lengths": torch.tensor([0])}, "every row needs at least 1 sample"),
        ({"codes": torch.full((1, 4, 3), 1024)}, "found 1024. Is it the pad token of a language"),
        ({"codes": torch.full((1, 4, 3), -1)}, r"in \[0, 1024\), found -1. Is it the pad token"),
        ({"sample_rate": 0}, "sample_rate must be at least 1"),
        ({"codebook_size": 1}, "codebook_size must be at least 2"),
        ({"weight_hash": "XYZ"}, "weight_hash must be 16 lower-case hex digits"),
    ],
)
def test_validation(change, message):
    with pytest.raises(ValueError, match=message):
        replace(make(), **change)


# --- bit packing --------------------------------------------------------------------------------


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


# --- the file -----------------------------------------------------------------------------------


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

"""`Encoded`: codes with everything that one must know of them."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from catok.codes import Encoded
from tests.random_codes import make, same


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

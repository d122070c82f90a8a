"""Rows of one stream give every recording the codes that it has alone."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from catok.corpus.packing import RowPacker


def noise(samples: int, seed: int, channels: int = 1) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return 0.3 * torch.randn(channels, samples, generator=draw).clamp(-3, 3)


def blocks(audio: Tensor, size: int) -> Iterator[Tensor]:
    yield from audio.split(size, dim=1)


def broken(audio: Tensor) -> Iterator[Tensor]:
    yield audio
    raise ValueError("cannot read on")


@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 60_000), min_size=1, max_size=9),
    rows=st.integers(1, 4),
    frames=st.integers(1, 7),
    size=st.integers(500, 9000),
    fixed=st.booleans(),
)
def test_codes_are_those_of_each_recording_alone(small_model, lengths, rows, frames, size, fixed):
    recordings = {index: noise(length, index) for index, length in enumerate(lengths)}
    packer = RowPacker(small_model, rows, frames, fixed=fixed)
    found = list(packer.encode((i, blocks(audio, size)) for i, audio in recordings.items()))
    assert sorted(item.key for item in found) == sorted(recordings)
    for item in found:
        alone = small_model.encode(recordings[item.key][None])
        assert item.error is None
        assert item.samples == lengths[item.key]
        assert torch.equal(torch.from_numpy(item.codes.astype("int64")).T, alone.codes[0])


def test_past_the_window_in_reused_rows(small_model, stereo_model):
    for model in (small_model, stereo_model):
        seconds = (4.1, 0.3, 2.9, 0.08, 1.7)
        audio = [
            noise(int(s * model.sample_rate), n, model.channels) for n, s in enumerate(seconds)
        ]
        packer = RowPacker(model, rows=2, frames=5, num_quantizers=3)
        for item in packer.encode((n, blocks(a, 4000)) for n, a in enumerate(audio)):
            alone = model.encode(audio[item.key][None], num_quantizers=3).codes[0]
            assert torch.equal(torch.from_numpy(item.codes.astype("int64")).T, alone)


def test_bad_recordings_end_alone_and_others_go_on(small_model):
    good = {name: noise(30_000, n) for n, name in enumerate("ab")}
    poisoned, integers = noise(30_000, 7), 32_768 * noise(9000, 8)
    poisoned[:, 25_000] = torch.nan
    recordings = [
        ("a", blocks(good["a"], 2000)),
        ("broken", broken(noise(20_000, 5))),
        ("empty", iter(())),
        ("nan", blocks(poisoned, 2000)),
        ("integers", blocks(integers, 2000)),
        ("b", blocks(good["b"], 2000)),
    ]
    packer = RowPacker(small_model, rows=2, frames=3)
    found = {item.key: item for item in packer.encode(recordings)}
    errors = {
        "a": None,
        "b": None,
        "broken": "cannot read on",
        "empty": "it holds no samples",
        "nan": "audio holds NaN or infinite samples",
        "integers": "full scale is 1",
    }
    assert found.keys() == errors.keys()
    for key, error in errors.items():
        assert (found[key].error is None) if error is None else (error in found[key].error)
    for name, audio in good.items():
        alone = small_model.encode(audio[None]).codes[0]
        assert torch.equal(torch.from_numpy(found[name].codes.astype("int64")).T, alone)


def test_padding_is_what_recordings_do_not_fill(small_model):
    packer = RowPacker(small_model, rows=1, frames=4, fixed=True)
    frame = small_model.frame_size
    list(packer.encode([("a", blocks(noise(4 * frame, 0), 1000))]))
    assert packer.work.padding == 0
    list(packer.encode([("b", blocks(noise(frame, 0), 1000))]))
    assert (packer.work.computed, packer.work.used) == (8, 5)
    packer = RowPacker(small_model, rows=1, frames=4)
    list(packer.encode([("b", blocks(noise(frame + 1, 0), 1000))]))
    assert (packer.work.computed, packer.work.used) == (2, 2)


def test_levels_are_measured(small_model):
    audio = torch.cat((noise(3000, 0).clamp(-0.5, 0.5), torch.ones(1, 5)), dim=1)
    (item,) = RowPacker(small_model, rows=1).encode([("a", blocks(audio, 1000))])
    assert item.peak == pytest.approx(1.0)
    assert item.clipped == 5

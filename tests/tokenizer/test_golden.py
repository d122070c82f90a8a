"""Against what the official architecture computes with the same weights.

Source: `docs/spec/checkpoints.md`.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from catok import CausalAudioTokenizer

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden"
CASES = [("mono-a", "2.3s"), ("mono-a", "12.7s"), ("stereo-a", "0.61s"), ("stereo-a", "4.23s")]
STRIDE = 17  # the fixtures keep every 17th sample of the reference audio


@pytest.fixture(scope="module")
def models():
    return {
        name: CausalAudioTokenizer.from_pretrained(GOLDEN / name) for name in ("mono-a", "stereo-a")
    }


def case_data(name, case):
    with np.load(GOLDEN / name / f"case_{case}.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays.files}


@pytest.mark.parametrize(("name", "case"), CASES)
def test_codes_are_identical(models, name, case):
    data = case_data(name, case)
    encoded = models[name].encode(data["wav"][None])
    assert torch.equal(encoded.codes[0], data["codes"].long())
    assert encoded.sample_lengths.tolist() == [data["wav"].shape[1]]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_hidden_states_agree(models, name, case):
    data, model = case_data(name, case), models[name]
    padding = -data["wav"].shape[1] % model.frame_size
    with torch.no_grad():
        hidden = model.encoder(model.interleave(nn.functional.pad(data["wav"], (0, padding))[None]))
    assert (hidden[0] - data["hidden"]).abs().max() < 1e-4


@pytest.mark.parametrize(("name", "case"), CASES)
def test_audio_agrees_at_all_and_at_eight_codebooks(models, name, case):
    data, model = case_data(name, case), models[name]
    for depth in (model.num_quantizers, 8):
        audio = model.decode(data["raw_codes"].long()[None], depth)[0]
        assert (audio[:, ::STRIDE] - data[f"audio_q{depth}"]).abs().max() < 1e-4


@pytest.mark.parametrize(("name", "case"), CASES)
def test_streaming_gives_the_same_codes_past_the_window(models, name, case):
    data, model = case_data(name, case), models[name]
    session = model.stream_encoder()
    pieces = [session.push(piece) for piece in data["wav"].split(3301, dim=1)]
    assert torch.equal(torch.cat([*pieces, session.flush()], dim=2)[0], data["codes"].long())

"""The reference gives what the official architecture gives with the same weights."""

import pytest
import torch

from catok import CausalAudioTokenizer
from catok.conformance import ReferenceTokenizer
from tests.tokenizer.test_golden import GOLDEN, STRIDE, case_data


@pytest.mark.parametrize(("name", "case"), [("mono-a", "2.3s"), ("stereo-a", "0.61s")])
def test_codes_latents_and_sound_are_the_official_ones(name, case):
    model, data = CausalAudioTokenizer.from_pretrained(GOLDEN / name), case_data(name, case)
    reference = ReferenceTokenizer(model.config, model.state_dict())
    found = reference.encode(data["wav"])
    assert torch.equal(found.codes, data["codes"].long())
    torch.testing.assert_close(found.latents.float(), data["hidden"], atol=1e-5, rtol=0)
    assert found.margins.shape == found.codes.shape and found.margins.min() > 1e-3
    for depth in (8, model.num_quantizers):
        sound = reference.decode(data["raw_codes"].long()[:depth]).audio[:, ::STRIDE]
        torch.testing.assert_close(sound.float(), data[f"audio_q{depth}"], atol=1e-5, rtol=0)


def test_distances_and_stages(small_model):
    audio = 0.1 * torch.randn(1, 5000, generator=torch.Generator().manual_seed(0))
    found = ReferenceTokenizer(small_model.config, small_model.state_dict()).encode(audio)
    assert torch.equal(found.codes, small_model.encode(audio[None]).codes[0])
    assert len(found.stages) == len(small_model.config.encoder)
    assert torch.equal(found.stages[-1], found.latents)

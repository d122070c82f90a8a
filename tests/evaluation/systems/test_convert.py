"""Every codec gets what it takes, and every recording gets back what it was."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.evaluation.systems.base import Original, convert, restore


@given(
    samples=st.integers(1, 3000),
    rate=st.sampled_from([8000, 11025, 16000, 44100, 48000]),
    to_rate=st.sampled_from([8000, 16000, 24000, 48000]),
    channels=st.sampled_from([1, 2]),
    to_channels=st.sampled_from([1, 2]),
)
@settings(max_examples=40, deadline=None)
def test_there_and_back_keeps_length_and_channels(samples, rate, to_rate, channels, to_channels):
    audio = torch.rand(channels, samples) - 0.5
    given_ = convert(audio, rate, to_rate, to_channels)
    assert given_.shape == (to_channels, -(-samples * to_rate // rate))
    assert restore(given_, to_rate, audio, rate).shape == audio.shape


def test_a_tone_comes_back_as_it_was():
    tone = (torch.arange(24_000) * 0.1).sin()[None].repeat(2, 1) * 0.5
    back = restore(convert(tone, 24_000, 48_000, 1), 48_000, tone, 24_000)
    inside = slice(500, -500)
    assert (back - tone)[:, inside].abs().max() < 1e-4


def test_what_a_codec_leaves_out_is_silence():
    audio = torch.ones(1, 100)
    back = restore(torch.ones(1, 90), 8000, audio, 8000)
    assert back[0, :90].eq(1).all() and back[0, 90:].eq(0).all()


@pytest.mark.parametrize(
    ("audio", "words"),
    [
        (torch.zeros(10), r"expected float audio \[C, T\]"),
        (torch.zeros(1, 0), "expected float audio"),
        (torch.zeros(1, 10, dtype=torch.int16), "expected float audio"),
        (torch.tensor([[0.0, torch.nan]]), "NaN"),
        (torch.zeros(12, 10), "12 channels into 2"),
    ],
)
def test_bad_recordings(audio, words):
    with pytest.raises(ValueError, match=words):
        convert(audio, 8000, 8000, 2)


def test_the_original_is_the_recording(speech):
    audio, rate = speech
    (output,) = Original().run(audio, rate)
    assert output.setting == Original.settings[0]
    assert torch.equal(output.audio, audio)
    assert output.bits is None and output.encoded is None

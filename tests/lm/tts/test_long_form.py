import dataclasses

import pytest
import torch

from catok.lm.tts import SpeechRequest
from tests.lm.tts.conftest import RESTRICTED, voice

TEXT = "First sentence here. The second one, longer."
ENDLESS = dataclasses.replace(RESTRICTED, restrict_text=False, text_temperature=0.0)


def joined(sound):
    return torch.cat([torch.zeros(1, 0), *sound], dim=1)


def test_a_short_text_sounds_as_from_stream(synth):
    request = SpeechRequest("Hello.", seed=1)
    stream = synth.synthesize_long(request)
    assert tuple(stream.texts) == ("Hello.",)
    assert torch.equal(joined(stream), joined(synth.stream(request)))
    assert stream.ended


def test_pieces_follow_each_other_after_a_pause_in_the_same_voice(synth):
    reference = voice()
    request = SpeechRequest(
        TEXT, reference, seed=7, sampling=ENDLESS, max_seconds=0.3, instruction="Slowly."
    )
    stream = synth.synthesize_long(request, max_length=25, pause=0.1)
    assert tuple(stream.texts) == ("First sentence here.", "The second one, longer.")
    apart = [
        joined(synth.stream(dataclasses.replace(request, text=text, seed=7 + n)))
        for n, text in enumerate(stream.texts)
    ]
    expected = torch.cat([apart[0], torch.zeros(1, 2400), apart[1]], dim=1)
    assert torch.equal(joined(stream), expected)
    assert not stream.ended  # cut off


def find_seed(synth, least):
    """A seed whose first piece ends by itself after so many frames."""
    for seed in range(60):
        stream = synth.stream(SpeechRequest("First sentence here.", seed=seed))
        list(stream)
        if stream.ended and stream.codes.shape[1] >= least:
            return seed, stream
    raise AssertionError("no seed found")


def test_without_reference_the_first_piece_is_the_voice_of_the_others(synth):
    seed, first = find_seed(synth, 7)
    stream = synth.synthesize_long(SpeechRequest(TEXT, seed=seed), max_length=25, pause=0)
    second = synth.stream(
        SpeechRequest(
            "The second one, longer.",
            reference=first.codes,
            reference_text="First sentence here.",
            seed=seed + 1,
        )
    )
    sound = joined(stream)[:, first.codes.shape[1] * 1920 :]
    assert torch.equal(sound, joined(second))


def test_bad_input_is_refused_at_once(synth):
    with pytest.raises(ValueError, match="no text"):
        synth.synthesize_long("\n\n")
    with pytest.raises(ValueError, match="pause"):
        synth.synthesize_long("Hello.", pause=-1)
    with pytest.raises(ValueError, match="pause"):
        synth.synthesize_long("Hello.", pause=float("inf"))
    with pytest.raises(ValueError, match="pause"):
        synth.synthesize_long("Hello.", pause=1e9)
    with pytest.raises(ValueError, match="max_seconds"):
        SpeechRequest("Hello.", max_seconds=float("nan"))
    with pytest.raises(ValueError, match="at most 3600"):
        SpeechRequest("Hello.", max_seconds=1e300)
    with pytest.raises(ValueError, match="seed"):
        SpeechRequest("Hello.", seed=-1)

"""What the CTC head calls speech, and that nothing is written down where it does not."""

from dataclasses import replace

import pytest
import torch

from catok.lm.asr import DecodingConfig, Recognizer
from catok.lm.asr.continuous import RecognitionEngine
from catok.lm.asr.speech import BLANK_BIAS, speech_confidence
from tests.lm.asr.conftest import noise

POSITIONS = 50  # a second


def table(tokens: dict[int, float], length: int = 100) -> torch.Tensor:
    """Log-probabilities over three tokens and the blank: token 1 at some positions, so likely."""
    probabilities = torch.full((length, 4), 0.01)
    probabilities[:, 3] = 0.97
    for place, probability in tokens.items():
        probabilities[place] = (1 - probability) / 3
        probabilities[place, 1] = probability
    return probabilities.log()


def test_the_mean_probability_of_what_is_said():
    said = table({10: 0.9, 20: 0.8, 30: 1 - 1e-6})
    assert speech_confidence(said, POSITIONS) == pytest.approx(0.9, abs=1e-4)


def test_too_little_in_any_second_is_no_speech():
    assert speech_confidence(table({}), POSITIONS) == 0
    assert speech_confidence(table({10: 0.9, 20: 0.9}), POSITIONS) == 0
    assert speech_confidence(table({0: 0.9, 40: 0.9, 80: 0.9}), POSITIONS) == 0
    assert speech_confidence(table({0: 0.9, 40: 0.9, 49: 0.9}), POSITIONS) > 0.8
    # two more that stand alone are no third token of a second, but they count for the mean
    assert speech_confidence(table({10: 0.9, 20: 0.9, 30: 0.9, 90: 0.5}), POSITIONS) == (
        pytest.approx(0.8, abs=1e-3)
    )


def test_a_repeated_symbol_is_one_token():
    assert speech_confidence(table({10: 0.9, 11: 0.9, 12: 0.9}), POSITIONS) == 0


def test_the_bias_takes_what_is_hardly_likelier_than_the_blank():
    weak = torch.tensor([0.05, 0.5, 0.05, 0.4]).log().repeat(100, 1)
    weak[1::2] = table({}, 50)
    assert float(weak[0, 1] - weak[0, 3]) < BLANK_BIAS
    assert speech_confidence(weak, POSITIONS) == 0


@pytest.mark.parametrize("method", ["beam", "greedy", "ctc"])
def test_a_threshold_leaves_words_out(recognizer, method):
    recording = noise(48_000)
    every = DecodingConfig(method, no_speech_threshold=0.0)
    none = replace(every, no_speech_threshold=1.0, timestamps=True)
    assert recognizer.transcribe(recording, 24_000, every).text
    nothing = recognizer.transcribe(recording, 24_000, none)
    assert (nothing.text, nothing.tokens, nothing.words) == ("", (), ())
    assert nothing.ended and nothing.log_prob < 0
    engine = RecognitionEngine(recognizer)
    codes = recognizer.tokenizer.encode(recording[None]).codes[0][
        : recognizer.resolve_num_quantizers(none)
    ]
    engine.admit(codes, none)
    found = []
    while engine.busy:
        found += engine.step()
    assert [transcript.text for _, transcript in found] == [""]
    session = recognizer.stream(none)
    session.push(recording)
    assert session.finish().text == ""


def test_the_threshold_is_a_share():
    with pytest.raises(ValueError, match="no_speech_threshold"):
        DecodingConfig(no_speech_threshold=1.5)


def test_the_embedded_recogniser_hears_no_words_in_silence_and_noise():
    tiny = Recognizer.from_pretrained("tiny-asr")
    generator = torch.Generator().manual_seed(0)
    hiss = torch.randn(1, 36_000, generator=generator)
    time = torch.arange(36_000)[None] / 24_000
    sounds = [torch.zeros(1, 36_000), 0.001 * hiss, 0.05 * hiss, 0.1 * torch.sin(314 * time)]
    assert [each.text for each in tiny.transcribe(sounds, 24_000)] == [""] * len(sounds)

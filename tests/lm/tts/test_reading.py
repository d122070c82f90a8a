"""What a model reads of a request: its own letters, a reference it knows, a length that fits."""

from dataclasses import replace

import pytest
import torch

from catok.lm.speech_config import SpeechConfig
from catok.lm.tts import SpeechRequest, Synthesizer
from tests.lm.tts.conftest import save_speech_model, voice

LETTERS = " ,.abcdefghijklmnopqrstuvwxyz"


def reader(synth: Synthesizer, **changes) -> Synthesizer:
    """The same model with another speech.json."""
    found = object.__new__(Synthesizer)
    found.__dict__.update(synth.__dict__)
    assert synth.config is not None
    found.config = replace(synth.config, **changes)
    return found


def test_a_model_that_knows_no_digits_is_given_words(synth):
    english = reader(synth, languages=("en",), characters=LETTERS)
    request = english.as_read(SpeechRequest("It is 5.", reference_text="Take 2.", seed=1))
    assert (request.text, request.reference_text) == ("It is five.", "Take two.")
    assert english.as_read(request).text == request.text
    prompts = [english.prompt(r) for r in ("It is 5.", "It is five.")]
    assert torch.equal(prompts[0].tokens.conditional, prompts[1].tokens.conditional)
    assert prompts[0].text == "It is five."  # what a judge of candidates compares with


@pytest.mark.parametrize("known", [
    {"languages": ("en",), "characters": LETTERS + "0123456789"},  # it has read digits
    {"languages": ("de",), "characters": LETTERS},
    {"languages": ("de", "en"), "characters": LETTERS},
    {"languages": ("en",)},  # who knows what it has read
])  # fmt: skip
def test_others_are_given_what_is_written(synth, known):
    other = reader(synth, **known)
    assert other.as_read("It is 5.").text == "It is 5."
    asked = SpeechRequest("It is 5.", language="en", verbalize=True)
    assert other.as_read(asked).text == "It is five."


def test_the_language_of_the_request_decides(synth):
    both = reader(synth, languages=("de", "en"), characters=LETTERS)
    assert both.as_read(SpeechRequest("It is 5.", language="en-GB")).text == "It is five."
    assert both.as_read(SpeechRequest("It is 5.", language="de")).text == "It is 5."
    with pytest.raises(ValueError, match="only English"):
        both.as_read(SpeechRequest("Es ist 5.", language="de", verbalize=True))
    assert both.as_read(SpeechRequest("5", language="en", verbalize=False)).text == "5"


def test_long_texts_are_written_out_before_they_are_cut(synth):
    english = reader(synth, languages=("en",), characters=LETTERS)
    plan = english.plan_long(SpeechRequest("Mr. X has 5. He goes."), max_length=18)
    assert list(plan.texts) == ["Mister X has five.", "He goes."]


def test_characters_that_were_hardly_read_are_named_once():
    config = SpeechConfig("tiny", characters=LETTERS)
    assert config.unknown_characters("Na\u00efve \u00efs\n5 \u20ac 5") == "\u00ef5\u20ac"
    assert SpeechConfig("tiny").unknown_characters("5 \u20ac") == ""
    assert (config.reads_digits, SpeechConfig("tiny").reads_digits) == (False, None)


def test_a_cloned_reference_is_cut_to_what_the_model_knows(synth):
    short = reader(synth, reference_seconds=0.8)
    codes = synth.encode_reference(voice(2.0))
    cut = codes[:, :10]
    cloned = SpeechRequest("Hello.", codes, mode="clone")
    assert torch.equal(
        short.prompt(cloned).tokens.conditional,
        synth.prompt(replace(cloned, reference=cut)).tokens.conditional,
    )
    assert not torch.equal(
        short.prompt(cloned).tokens.conditional, synth.prompt(cloned).tokens.conditional
    )
    continued = SpeechRequest("Hello.", codes, "Some words.")  # its transcript is of all of it
    assert torch.equal(short.prompt(continued).tokens.prefix, codes)


def test_speech_lasts_no_longer_than_its_text_can(synth):
    rate = synth.tokenizer.frame_rate
    short, long = (synth.prompt(text).max_frames / rate for text in ("Yes.", "word " * 40))
    assert 2.5 < short < 4 and 45 < long <= 60
    assert synth.prompt("12").max_frames / rate > 4  # two digits may be many words
    assert SpeechRequest("word " * 200).most_seconds == 60
    assert SpeechRequest("Yes.", max_seconds=9).most_seconds == 9
    assert SpeechRequest("Yes.", instruction="Very slowly.").most_seconds == 60
    assert SpeechRequest("\u4f60\u597d", language="zh").most_seconds > 3


def test_requests_of_different_lengths_still_run_together(synth):
    texts = ["Yes.", "A longer one, with more words."]
    together = synth.synthesize([SpeechRequest(text, seed=3) for text in texts])
    for text, speech in zip(texts, together, strict=True):
        (alone,) = synth.synthesize([SpeechRequest(text, seed=3)])
        assert torch.equal(alone.codes, speech.codes)


def test_speech_json_keeps_it(small_model, tmp_path):
    known = {"characters": LETTERS, "reference_seconds": 3.0}
    folder = save_speech_model(tmp_path / "model", small_model, **known)
    config = Synthesizer.from_pretrained(folder).config
    assert config is not None and (config.characters, config.reference_seconds) == (LETTERS, 3.0)
    with pytest.raises(ValueError, match="reference_seconds"):
        SpeechConfig("tiny", reference_seconds=0.0)

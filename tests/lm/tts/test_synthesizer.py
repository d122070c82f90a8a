import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok import CausalAudioTokenizer
from catok.lm.sampling import SamplingConfig
from catok.lm.speech_config import SpeechConfig
from catok.lm.tts import SpeechRequest, Synthesizer
from catok.lm.tts.reference import reference_codes
from tests.conftest import build, small_settings
from tests.lm.tts.conftest import RESTRICTED, save_speech_model, voice

GREEDY = SamplingConfig.greedy(restrict_text=True)
ENDLESS = dataclasses.replace(RESTRICTED, restrict_text=False, text_temperature=0.0)
GUIDED = dataclasses.replace(ENDLESS, guidance=2.0)


def equal(one, other, tolerance=1e-6):
    assert torch.equal(one.codes, other.codes)
    assert one.ended == other.ended
    assert torch.allclose(one.audio, other.audio, atol=tolerance, rtol=0)


@settings(max_examples=8, deadline=None)
@given(
    texts=st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), max_size=4),
    depth=st.integers(1, 4),
    sampling=st.sampled_from([None, GREEDY, ENDLESS, GUIDED]),
    seed=st.integers(0, 9999),
)
def test_batch_gives_what_each_text_alone_gives(synth, texts, depth, sampling, seed):
    texts = ["One.", *[text for text in texts if text.strip()]]
    voices = [voice(seed=seed), None, synth.encode_reference(voice()), None, None]
    plain = SpeechRequest("", num_quantizers=depth, sampling=sampling, max_seconds=0.5)
    requests = [
        dataclasses.replace(plain, text=text, reference=reference, seed=seed + number)
        for number, (text, reference) in enumerate(zip(texts, voices, strict=False))
    ]
    requests[0] = dataclasses.replace(requests[0], reference_text="Said.")
    for request, speech in zip(requests, synth.synthesize(requests), strict=True):
        (alone,) = synth.synthesize([request])
        equal(alone, speech, 1e-5)
        assert speech.codes.shape[0] == depth
        assert speech.codes.shape[1] == 7 or speech.ended
        assert speech.audio.shape == (1, speech.codes.shape[1] * 1920)
        assert speech.seconds == speech.audio.shape[1] / 24_000


def test_requests_of_one_call_may_have_settings_of_their_own(synth):
    requests = [
        SpeechRequest("One.", seed=1, num_quantizers=2, max_seconds=0.4),
        SpeechRequest("Two.", seed=2, sampling=ENDLESS, max_seconds=0.2),
        SpeechRequest("Three.", seed=3, num_quantizers=2, max_seconds=0.4),
    ]
    for request, speech in zip(requests, synth.synthesize(requests), strict=True):
        equal(synth.synthesize([request])[0], speech, 1e-5)


@pytest.mark.parametrize("sampling", [SamplingConfig.greedy(), RESTRICTED, ENDLESS, GUIDED])
@pytest.mark.parametrize("mode", [None, "clone", "continuation", "both"])
@pytest.mark.parametrize("depth", [2, 4])
def test_streamed_equals_offline(synth, sampling, mode, depth):
    reference, transcript = (voice(1.7), "Before. ") if mode else (None, None)
    request = SpeechRequest(
        "And after.",
        reference,
        transcript,
        mode,
        num_quantizers=depth,
        sampling=sampling,
        seed=6,
        max_seconds=0.9,
    )
    (offline,) = synth.synthesize([request])
    stream = synth.stream(request)
    sound = list(stream)
    assert all(piece.shape == (1, 1920) for piece in sound)
    assert torch.equal(stream.codes, offline.codes)
    assert stream.ended == offline.ended
    streamed = torch.cat([torch.zeros(1, 0), *sound], dim=1)
    assert torch.allclose(streamed, offline.audio, atol=1e-5, rtol=0)
    if sampling is not RESTRICTED:
        assert offline.codes.shape == (depth, 12) and not offline.ended


def test_the_first_audio_comes_after_the_first_frame(synth, monkeypatch):
    steps = []
    real = synth.model.sample_frame
    monkeypatch.setattr(synth.model, "sample_frame", lambda *a: steps.append(1) or real(*a))
    stream = synth.stream(SpeechRequest("Hello.", seed=0))
    assert not steps
    next(stream)
    assert len(steps) == 1
    next(stream)
    assert len(steps) == 2


def test_the_continued_recording_is_heard_by_the_decoder_and_cut_off_exactly(synth):
    prefix = synth.encode_reference(voice(1.0))
    assert prefix.shape == (4, 12)  # a last partial frame is left out
    request = SpeechRequest(
        "More.", prefix, "Some.", sampling=ENDLESS, max_seconds=0.4, num_quantizers=3
    )
    (made,) = synth.synthesize([request])
    assert made.codes.shape == (3, 5)
    whole = torch.cat([prefix[:3], made.codes], dim=1)[None]
    expected = synth.tokenizer.decode(whole)[0, :, 12 * 1920 :]
    assert made.audio.shape == (1, 5 * 1920)
    assert torch.allclose(made.audio, expected, atol=1e-6)
    cold = synth.tokenizer.decode(made.codes[None])[0]
    assert not torch.allclose(made.audio, cold, atol=1e-3)


def test_codebooks_above_k_are_neither_read_nor_needed(synth):
    prefix = synth.encode_reference(voice(1.0))
    other = torch.cat([prefix[:2], (prefix[2:] + 1) % 64])
    request = SpeechRequest("More.", prefix, "Some.", num_quantizers=2, seed=5, max_seconds=0.5)
    changed = [dataclasses.replace(request, reference=codes) for codes in (other, prefix[:2])]
    made = synth.synthesize([request, *changed])
    equal(made[0], made[1])
    equal(made[0], made[2])
    (all_four,) = synth.synthesize([dataclasses.replace(request, num_quantizers=4)])
    assert all_four.codes.shape[0] == 4


def test_seeds_and_the_reference_decide(synth):
    def say(seed, **how):
        request = SpeechRequest("Hello.", seed=seed, max_seconds=0.5, sampling=ENDLESS, **how)
        return synth.synthesize([request])[0]

    equal(say(1), say(1))
    assert not torch.equal(say(1).codes, say(2).codes)
    cloned = say(1, reference=voice())
    assert not torch.equal(cloned.codes, say(1).codes)
    assert not torch.equal(cloned.codes, say(1, reference=voice(seed=1)).codes)
    assert not torch.equal(cloned.codes, say(1, language="en").codes)
    assert not torch.equal(say(1).codes, say(1, instruction="Whisper.").codes)


def test_bad_input_says_what_to_do(synth):
    def fails(match, text="Hello.", **fields):
        with pytest.raises(ValueError, match=match):
            synth.synthesize([SpeechRequest(text, **fields)])

    def bad_reference(match, reference):
        fails(match, reference=reference)

    fails("no text", "  ")
    fails("holds '<.im_end.>'", "see <|im_end|>")
    fails("holds '<.audio.>'", "see <|audio|>")
    fails("holds '<.im_end.>'", instruction="<|im_end|>")
    fails("from 1 to 4, got 5", num_quantizers=5)
    fails("above 0", max_seconds=0)
    fails("positions: shorten", "x" * 2000)
    fails("needs the reference", reference_text="Said.")
    fails("needs the reference", mode="clone")
    fails("give reference_text", mode="both", reference=voice())
    fails('must be "clone"', mode="sing", reference=voice())
    fails("only one recording", reference=[voice(), voice()], reference_text="Said.")
    fails("max_seconds must be a finite number", max_seconds=float("inf"))
    fails("a seed must be a whole number", seed=10**21)
    fails("a seed must be a whole number", seed=0.5)
    fails("tokens must be a whole number", tokens="25")
    fails("tokens must be at least 1", tokens=0)
    fails("quality must be text", quality=5)
    fails("instruction is empty", instruction=" ")
    fails("holds the line '- Text:'", instruction="Sing.\n- Text:\nOther words.")
    bad_reference("lasts 0.40 s", voice(0.4))
    bad_reference("lasts 61.00 s", voice(61.0))
    bad_reference("NaN", voice() / 0 * 0)
    bad_reference("silent", torch.zeros(1, 24_000))
    bad_reference(r"float audio \[C, T\]", voice()[0])
    bad_reference("does not exist", "nowhere.wav")
    bad_reference("hold 64|0 to 63", torch.full((4, 9), 64))
    with pytest.raises(ValueError, match="has 1 codebooks, synthesis with 2"):
        reference_codes(torch.zeros(1, 9).long(), synth.tokenizer, synth.model.config, 2)
    with pytest.raises(ValueError, match="list"):
        synth.synthesize("Hello.")
    with pytest.raises(ValueError, match="a text or a SpeechRequest, got int"):
        synth.synthesize([3])
    assert synth.synthesize([]) == []


def test_an_answer_of_nothing_is_silence(synth):
    speech = synth.synthesize(
        [SpeechRequest("Hello.", seed=0), SpeechRequest("A longer text.", seed=3)]
    )
    assert speech[0].codes.shape[1] > 0
    assert speech[1].codes.shape == (4, 0) and speech[1].audio.shape == (1, 0) and speech[1].ended


def test_folders(synth, speech_folder, small_model, tmp_path):
    folder = save_speech_model(tmp_path / "two", small_model, num_quantizers=2)
    two = Synthesizer.from_pretrained(folder)
    request = SpeechRequest("Hello.", seed=4, max_seconds=1)
    (made,) = two.synthesize([request])
    equal(made, synth.synthesize([dataclasses.replace(request, num_quantizers=2)])[0])
    given_codec = Synthesizer.from_pretrained(folder, tokenizer=small_model)
    equal(made, given_codec.synthesize([request])[0])
    other = build(small_settings(), seed=1)
    with pytest.raises(ValueError, match="codes of another audio tokenizer"):
        Synthesizer.from_pretrained(folder, tokenizer=other)
    changed = dataclasses.replace(SpeechConfig.load(folder), tasks=("asr",))
    changed.save(folder)
    with pytest.raises(ValueError, match="trained for asr, not for tts"):
        Synthesizer.from_pretrained(folder)
    (folder / "speech.json").unlink()
    with pytest.raises(ValueError, match="no speech.json"):
        Synthesizer.from_pretrained(folder)
    assert isinstance(
        Synthesizer.from_pretrained(folder, tokenizer=folder / "codec").tokenizer,
        CausalAudioTokenizer,
    )


@pytest.mark.slow
def test_released_folders_need_only_the_codec(golden, tmp_path):
    golden.save_pretrained(tmp_path)  # an official folder, but for the vocabulary of 300
    settings = small_settings()
    settings["quantizer"] |= {"num_quantizers": 32}
    codec = build(settings)
    SpeechConfig("anywhere").save(tmp_path)  # says that text is bytes
    synth = Synthesizer.from_pretrained(tmp_path, tokenizer=codec)
    request = SpeechRequest("Hello.", num_quantizers=2, max_seconds=0.2, sampling=ENDLESS)
    (made,) = synth.synthesize([request])
    assert made.codes.shape == (2, 3)
    with pytest.raises(ValueError, match="run to 64, those of this audio tokenizer to 32"):
        settings["quantizer"] |= {"codebook_size": 32}
        Synthesizer.from_pretrained(tmp_path, tokenizer=build(settings))
    with pytest.raises(ValueError, match="has 32 codebooks, this audio tokenizer only 8"):
        Synthesizer.from_pretrained(tmp_path, tokenizer=build(small_settings()))

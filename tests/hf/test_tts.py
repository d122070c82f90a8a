"""Speech synthesis through the classes and the pipeline of transformers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForTextToWaveform, AutoProcessor, pipeline

from catok import load_audio
from catok.hf import CatokForTextToSpeech, CatokTTSProcessor
from catok.lm import SpeechRequest, Synthesizer

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
TEXT, FRAMES = "Good morning.", 6
SECONDS = FRAMES * 0.08


@pytest.fixture(scope="module")
def synthesizer():
    return Synthesizer.from_pretrained("tiny-tts")


@pytest.fixture(scope="module")
def model():
    return CatokForTextToSpeech.from_pretrained("tiny-tts")


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tts") / "model"
    model.save_pretrained(folder)
    return folder


def request(text=TEXT, seed=3, **more):
    return SpeechRequest(text, seed=seed, max_seconds=SECONDS, **more)


def test_generate_gives_what_the_synthesizer_gives(model, synthesizer):
    processor = model.processor()
    texts = [TEXT, "How are you? I am well, thank you."]
    inputs = processor(texts)
    assert inputs["input_ids"].dim() == 3 and not inputs["attention_mask"][0].all()
    found = model.generate(**inputs, seed=3, max_new_tokens=FRAMES)
    expected = synthesizer.synthesize([request(text, 3 + row) for row, text in enumerate(texts)])
    sounds = processor.decode(found)
    for codes, sound, speech in zip(found, sounds, expected, strict=True):
        assert torch.equal(codes[:, : speech.codes.shape[1]], speech.codes)
        assert (codes[:, speech.codes.shape[1] :] == model.token_lm.config.audio_pad_code).all()
        torch.testing.assert_close(sound, speech.audio)
    again = model.generate(**inputs, seed=3, max_new_tokens=FRAMES, return_dict_in_generate=True)
    assert torch.equal(again.sequences, found)


def test_options_of_generation(model, synthesizer):
    inputs = model.processor()(TEXT)
    likeliest = [model.generate(**inputs, max_new_tokens=3, do_sample=False) for _ in range(2)]
    assert torch.equal(*likeliest)
    few = model.generate(**inputs, max_new_tokens=3, num_quantizers=2, seed=1)
    assert few.shape == (1, 2, 3)
    hot = model.generate(**inputs, max_new_tokens=3, seed=1, temperature=3.0, top_k=0)
    assert not torch.equal(hot, model.generate(**inputs, max_new_tokens=3, seed=1))
    with pytest.raises(ValueError, match="knows no \\['num_beams'\\]"):
        model.generate(**inputs, num_beams=4)


def test_the_pipeline_finds_all_in_a_folder(folder, synthesizer):
    speak = pipeline("text-to-speech", model=str(folder))
    options = {"generate_kwargs": {"seed": 3, "max_new_tokens": FRAMES}}
    found = speak(TEXT, **options)
    [expected] = synthesizer.synthesize([request()])
    assert found["sampling_rate"] == 24_000
    np.testing.assert_allclose(found["audio"], expected.audio[0].numpy(), atol=1e-6)
    several = speak([TEXT, "Yes."], **options)
    assert len(several) == 2
    np.testing.assert_array_equal(several[0]["audio"], found["audio"])
    chat = speak([{"role": "user", "content": TEXT}], **options)
    np.testing.assert_array_equal(chat["audio"], found["audio"])


def test_a_voice_is_cloned_from_a_chat(model, synthesizer):
    voice, rate = load_audio(EXAMPLES / "speech.flac", sample_rate=24_000, channels=1)
    voice = voice[:, : 2 * rate]
    parts = [{"type": "text", "text": TEXT}, {"type": "audio", "audio": voice[0].numpy()}]
    inputs = model.processor().apply_chat_template([{"role": "user", "content": parts}])
    prompt = synthesizer.prompt(request(reference=(voice, rate)))
    assert torch.equal(inputs["input_ids"][0], prompt.tokens.conditional)
    assert torch.equal(inputs["negative_prompt_ids"][0], prompt.tokens.unconditional)
    direct = model.processor()(TEXT, audio=voice)
    assert torch.equal(direct["input_ids"], inputs["input_ids"])


def test_what_is_saved_is_loaded_by_all(folder, synthesizer):
    assert AutoConfig.from_pretrained(folder).sampling_rate == 24_000
    assert json.loads((folder / "config.json").read_text())["model_type"] == "catok_tts"
    loaded = AutoModelForTextToWaveform.from_pretrained(folder)
    processor = AutoProcessor.from_pretrained(folder)
    assert isinstance(loaded, CatokForTextToSpeech) and isinstance(processor, CatokTTSProcessor)
    hash_before = synthesizer.tokenizer.weight_hash
    assert processor.audio_tokenizer.tokenizer.weight_hash == hash_before
    ours = Synthesizer.from_pretrained(folder)
    [speech], [expected] = (each.synthesize([request()]) for each in (ours, synthesizer))
    assert torch.equal(speech.codes, expected.codes)


def test_sounds_are_written(model, tmp_path):
    processor = model.processor()
    sounds = processor.decode(model.generate(**processor([TEXT, "Yes."]), max_new_tokens=2))
    processor.save_audio(sounds, [tmp_path / "a.wav", tmp_path / "b.wav"])
    assert load_audio(tmp_path / "b.wav")[0].shape == sounds[1].shape
    processor.save_audio(sounds[0], tmp_path / "c.flac")
    with pytest.raises(ValueError, match="2 sounds and 1 paths"):
        processor.save_audio(sounds, tmp_path / "d.wav")
    pad = model.token_lm.config.audio_pad_code
    assert processor.decode(torch.full((1, 12, 3), pad))[0].shape == (1, 0)


@pytest.mark.parametrize(
    "conversation",
    [
        [],
        [{"role": "assistant", "content": "no"}],
        [{"role": "user", "content": [{"type": "image", "image": 0}]}],
        [{"role": "user", "content": []}],
    ],
)
def test_other_conversations_are_refused(model, conversation):
    with pytest.raises(ValueError):
        model.processor().apply_chat_template(conversation)


def test_texts_and_recordings_must_agree(model):
    with pytest.raises(ValueError, match="2 texts and 1 recordings"):
        model.processor()([TEXT, TEXT], audio=[np.zeros(9)])
    with pytest.raises(ValueError, match="no text to speak"):
        model.processor()("")

"""The small models inside the package: there, small enough, and of the embedded tokenizer."""

from pathlib import Path

import pytest

from catok import CausalAudioTokenizer, load_audio
from catok.cli import main
from catok.io.hub import EMBEDDED
from catok.lm.asr import Recognizer
from catok.lm.asr.scoring import ctc_scores
from catok.lm.speech_config import SpeechConfig
from catok.lm.tts import SpeechRequest, Synthesizer

pytestmark = pytest.mark.slow

SPEECH = Path(__file__).parents[2] / "examples" / "speech.flac"
NAMES = ("tiny-tts", "tiny-asr")


def test_they_fit_into_30_megabytes_together():
    files = [file for name in NAMES for file in (EMBEDDED / name).iterdir()]
    assert sum(file.stat().st_size for file in files) < 30e6
    for name in NAMES:
        assert (EMBEDDED / name / "MODEL_CARD.md").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_they_speak_the_codes_of_tiny(name):
    config = SpeechConfig.load(EMBEDDED / name)
    assert config is not None and config.tokenizer == "tiny"
    assert config.tasks == (name.removeprefix("tiny-"),) and config.languages == ("en",)
    assert config.weight_hash == CausalAudioTokenizer.from_pretrained("tiny").weight_hash


def test_speech_lasts_as_long_as_its_text():
    synthesizer = Synthesizer.from_pretrained("tiny-tts")
    texts = ["Please wait.", "Please wait until somebody can take your call."]
    requests = [SpeechRequest(text, language="en", seed=0) for text in texts]
    short, long = synthesizer.synthesize(requests)
    assert short.ended and long.ended
    assert short.audio.shape[1] + 12_000 < long.audio.shape[1]
    assert float(short.audio.square().mean().sqrt()) > 0.01  # it is not silence


def test_the_recogniser_hears_which_text_was_spoken():
    synthesizer = Synthesizer.from_pretrained("tiny-tts")
    judge = Recognizer.from_pretrained("tiny-asr")
    texts = ["Please hold the line.", "We have a mission to complete.", "That was not so bad."]
    requests = [SpeechRequest(text, language="en", seed=n) for n, text in enumerate(texts, 1)]
    made = synthesizer.generate_codes(synthesizer.prompts(requests))
    for own, text in enumerate(texts):
        scores = ctc_scores(judge, [each.codes for each in made], [text] * len(made))
        assert scores.index(max(scores)) == own


def test_more_is_understood_of_a_voice_it_knows_than_by_chance():
    audio, rate = load_audio(SPEECH)
    text = Recognizer.from_pretrained("tiny-asr").transcribe(audio[:, : 5 * rate], rate).text
    words = set(text.lower().replace(".", "").split())
    assert len(words & {"the", "person", "you", "are", "calling", "is", "not", "at"}) >= 3


def test_the_commands_need_no_model(tmp_path, capsys):
    assert main(["tts", "Please wait.", "-o", str(tmp_path / "x.wav"), "--seed", "1"]) == 0
    assert main(["asr", str(tmp_path / "x.wav")]) == 0
    assert capsys.readouterr().out.strip()

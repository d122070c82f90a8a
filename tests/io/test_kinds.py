"""A folder of the wrong kind is named for what it is."""

import json

import pytest

from catok import CausalAudioTokenizer
from catok.io import kinds
from catok.io.hub import EMBEDDED, find_folder
from catok.io.kinds import folder_kind
from catok.lm.asr import Recognizer
from catok.lm.tts import Synthesizer
from catok.training.codec.discriminators.ensemble import Discriminators
from catok.training.codec.semantic.head import SemanticHead


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tiny", kinds.TOKENIZER),
        ("tiny-tts", kinds.SYNTHESIZER),
        ("tiny-asr", kinds.RECOGNIZER),
        ("tiny/discriminators", kinds.DISCRIMINATORS),
        ("tiny/semantic", kinds.SEMANTIC),
    ],
)
def test_embedded_folders(name, kind):
    assert folder_kind(EMBEDDED / name) == kind


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"encoder_kwargs": []}, "an audio tokenizer"),
        ({"model_type": "moss_tts_delay"}, "a speech language model"),
        ({"model_type": "qwen3"}, "a model of type 'qwen3'"),
        ({"catok": {"token_lm": {}}}, "a speech language model"),
        ({"catok": None}, None),
        ({"model_type": ["x"]}, None),
        ({}, None),
    ],
)
def test_config_files(tmp_path, config, text):
    (tmp_path / "config.json").write_text(json.dumps(config))
    kind = folder_kind(tmp_path)
    assert (kind and kind.text) == text


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("last.pt", kinds.RUN),
        ("tokens.jsonl", kinds.TOKENS),
        ("onnx.json", kinds.ONNX),
        ("rows.jsonl", kinds.RESULTS),
    ],
)
def test_folders_that_commands_write(tmp_path, file, kind):
    assert folder_kind(tmp_path) is None
    (tmp_path / file).touch()
    assert folder_kind(tmp_path) == kind


@pytest.mark.parametrize(
    ("load", "name", "message"),
    [
        (CausalAudioTokenizer, "tiny-tts", "is a speech synthesis model, not an audio.*catok tts"),
        (CausalAudioTokenizer, "tiny-asr", "is a speech recognition model, not .*Recognizer"),
        (Synthesizer, "tiny", "is an audio tokenizer, not a speech.*CausalAudioTokenizer"),
        (Recognizer, "tiny", "is an audio tokenizer, not a speech"),
        (Synthesizer, "tiny-asr", "was trained for asr, not for tts: give it to catok asr"),
    ],
)
def test_the_wrong_class_says_which_is_right(load, name, message):
    with pytest.raises(ValueError, match=message):
        load.from_pretrained(name)


def test_a_run_is_not_its_model(tmp_path):
    (tmp_path / "last.pt").touch()
    with pytest.raises(ValueError, match=r"a training run, not an audio tokenizer.*in model/"):
        CausalAudioTokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize("load", [Discriminators, SemanticHead])
def test_companions_are_found_by_the_name_of_their_tokenizer(load):
    found = load.from_pretrained("tiny").state_dict()
    below = {Discriminators: "discriminators", SemanticHead: "semantic"}[load]
    there = load.from_pretrained(find_folder("tiny") / below).state_dict()
    assert all(found[name].equal(tensor) for name, tensor in there.items())

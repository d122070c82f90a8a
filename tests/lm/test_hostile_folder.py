"""Folders of speech models that are damaged or made to harm: a ValueError, and little memory."""

import json
import os
from contextlib import suppress

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from catok.evaluation.extras import pretrained_loader
from catok.io.stored_weights import CONFIG, WEIGHTS
from catok.lm import text as lm_text
from catok.lm.asr.ctc import CTC, CTCHead
from catok.lm.model import TokenLM
from catok.lm.speech_config import SPEECH, SpeechConfig
from catok.training.codec.semantic import decoder
from catok.training.codec.semantic import text as semantic_text
from catok.training.lm.init_from_qwen3 import from_text_model
from tests.lm.conftest import build, small_config
from tests.spoiling import spoilt


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    build(small_config()).save_pretrained(folder)
    SpeechConfig(tokenizer="tiny", languages=("en",)).save(folder)
    return folder


@pytest.mark.slow
@given(st.data())
@settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("released", [False, True])
def test_any_config_loads_or_is_a_value_error(good, released, data):
    config = json.loads((good / CONFIG).read_text())
    if released:
        del config["catok"]
    folder = good.parent / "spoilt"
    folder.mkdir(exist_ok=True)
    (folder / WEIGHTS).write_bytes((good / WEIGHTS).read_bytes())
    (folder / CONFIG).write_text(json.dumps(spoilt(config, data.draw)))
    with suppress(ValueError):
        TokenLM.from_pretrained(folder)


@given(st.data())
def test_any_speech_json_loads_or_is_a_value_error(good, data):
    folder = good.parent / "speech"
    folder.mkdir(exist_ok=True)
    speech = json.loads((good / SPEECH).read_text())
    (folder / SPEECH).write_text(json.dumps(spoilt(speech, data.draw)))
    with suppress(ValueError):
        SpeechConfig.load(folder)


@pytest.mark.parametrize(
    "shape",
    [
        torch.tensor([16_000, 16_000, 4]),
        torch.tensor([2**62, 2, 2]),
        torch.tensor([3, 5]),
        torch.tensor([3, -5, 1]),
        torch.tensor([3.0, 5.0, 1.0]),
        torch.tensor(3),
    ],
)
def test_a_ctc_head_is_no_larger_than_its_file(tmp_path, shape):
    CTCHead(3, 5).save(tmp_path)
    tensors = load_file(tmp_path / CTC)
    save_file(tensors | {"shape": shape}, tmp_path / CTC)
    with pytest.raises(ValueError):
        CTCHead.load(tmp_path)
    save_file({"shape": shape}, tmp_path / CTC)
    with pytest.raises(ValueError):
        CTCHead.load(tmp_path)


def test_a_pipe_in_place_of_a_ctc_head_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / CTC)
    with pytest.raises(ValueError, match="no such file"):
        CTCHead.load(tmp_path)


@pytest.mark.parametrize("load", [lm_text.ModelTokenizer, semantic_text.ModelTargetTokenizer])
def test_a_pipe_among_the_files_of_a_text_tokenizer_is_refused_at_once(tmp_path, load):
    os.mkfifo(tmp_path / "tokenizer.json")
    with pytest.raises(ValueError, match="not a regular file"):
        load(tmp_path)


def test_a_text_model_of_impossible_sizes_is_refused(tmp_path):
    settings = {"model_type": "qwen3", "hidden_size": 2**20, "vocab_size": 2**30}
    (tmp_path / CONFIG).write_text(json.dumps(settings))
    save_file({"model.embed_tokens.weight": torch.zeros(300, 4)}, tmp_path / WEIGHTS)
    with pytest.raises(ValueError, match="do not belong"):
        from_text_model(tmp_path, small_config())


EVIL = """
open(r"{mark}", "w").write("x")
from transformers import PreTrainedTokenizer
class EvilTokenizer(PreTrainedTokenizer): pass
"""


def metrics(folder):
    with pretrained_loader("a model", folder) as load:
        load("AutoTokenizer")


@pytest.mark.parametrize(
    "load",
    [lm_text.ModelTokenizer, semantic_text.ModelTargetTokenizer, decoder._pretrained, metrics],
)
def test_code_in_a_folder_is_not_run_and_nobody_is_asked(tmp_path, monkeypatch, load):
    """transformers would ask on standard input, where a piped "y" is consent."""
    folder, mark, asked = tmp_path / "evil", tmp_path / "mark", []
    folder.mkdir()
    (folder / "evil.py").write_text(EVIL.format(mark=mark))
    tokenizer = {"AutoTokenizer": ["evil.EvilTokenizer", None]}
    model = dict.fromkeys(("AutoConfig", "AutoModelForCausalLM"), "evil.EvilTokenizer")
    for name, config in {
        "tokenizer_config.json": {"tokenizer_class": "EvilTokenizer", "auto_map": tokenizer},
        "config.json": {"model_type": "evil", "auto_map": model},
    }.items():
        (folder / name).write_text(json.dumps(config))
    monkeypatch.setattr("builtins.input", lambda prompt="": asked.append(prompt) or "y")
    with pytest.raises(ValueError, match="evil"):
        load(str(folder))
    assert not mark.exists() and not asked

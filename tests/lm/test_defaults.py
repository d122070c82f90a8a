"""Process-wide PyTorch defaults, which other libraries set, change no result."""

from contextlib import contextmanager
from typing import Any

import pytest
import torch

from catok.lm.asr import DecodingConfig
from catok.lm.generation import generate
from catok.lm.prompt import PromptBuilder
from catok.lm.sampling import SamplingConfig
from catok.lm.text import ByteTokenizer
from catok.lm.tts.prompt import build_prompt
from catok.lm.tts.request import SpeechRequest
from tests.lm.asr.conftest import make
from tests.lm.conftest import build, small_config
from tests.lm.test_positions import CONFIG as BESIDE


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


CODES = torch.arange(12).view(4, 3)
DEFAULTS = [
    pytest.param(lambda: default_dtype(torch.float64), id="float64"),
    pytest.param(lambda: default_dtype(torch.bfloat16), id="bfloat16"),
    pytest.param(lambda: torch.device("meta"), id="another device"),
]


@pytest.mark.parametrize("defaults", DEFAULTS)
@pytest.mark.parametrize("config", [small_config(), BESIDE], ids=["counted", "text beside speech"])
def test_synthesis(config, defaults):
    model = build(config)
    prompt_builder = PromptBuilder(config, ByteTokenizer(config))
    how: Any = {"seeds": [5], "max_frames": 6, "sampling": SamplingConfig(guidance=2.0)}

    def codes():
        prompt = build_prompt(prompt_builder, SpeechRequest("Hello."), [CODES])
        pair = [prompt.conditional], [prompt.unconditional]
        return generate(model, pair[0], unconditional=pair[1], **how)[0].codes

    expected = codes()
    with defaults():
        assert torch.equal(codes(), expected)


@pytest.mark.parametrize("defaults", DEFAULTS)
@pytest.mark.parametrize("method", ["beam", "greedy", "ctc"])
def test_recognition(small_model, method, defaults):
    recognizer = make(small_model)
    config = DecodingConfig(method, timestamps=True, max_seconds=0.5, pause_window=0.2)
    expected = recognizer.transcribe_codes(CODES, config)
    with defaults():
        assert recognizer.transcribe_codes(CODES, config) == expected

"""A small random recogniser with a CTC head, and one without."""

from pathlib import Path

import pytest
import torch

from catok.lm.asr import DecodingConfig
from catok.lm.asr.ctc import CTCHead
from catok.lm.asr.recognizer import Recognizer
from catok.lm.asr.transcript import Transcript
from catok.lm.config import TokenLMConfig
from catok.lm.speech_config import SpeechConfig
from catok.lm.speech_model import SpeechModel
from catok.lm.text import ByteTokenizer
from tests.lm.conftest import build, small_config

QUICK = {"tokens_per_second": 6.0}
GREEDY = DecodingConfig("greedy", **QUICK)
BEAM = DecodingConfig("beam", beam=3, **QUICK)
CTC = DecodingConfig("ctc")


def asr_config() -> TokenLMConfig:
    """Reads four of `small_model`'s eight codebooks."""
    return small_config(audio_vocab_size=64, audio_pad_code=64)


def make(tokenizer, with_head: bool = True, seed: int = 0) -> Recognizer:
    """Random weights, loud enough that every recording gives another text."""
    config = asr_config()
    model = build(config, seed)
    head = None
    if with_head:
        torch.manual_seed(seed + 1)
        head = CTCHead(config.width, config.vocab_size, 2).eval()
        torch.nn.init.normal_(head.linear.weight, std=1.0)
        bias = torch.full((config.vocab_size + 1,), -30.0)
        bias[[*ByteTokenizer(config).encode("abcdef   "), head.blank]] = 0.0  # words, readable
        head.linear.bias.data = bias.repeat(head.per_frame)
    return Recognizer(
        SpeechModel(model, ByteTokenizer(config), tokenizer, name="small", ctc_head=head)
    )


def save_recognizer(folder: Path, recognizer: Recognizer, tokenizer: str) -> Path:
    """A folder as training leaves it; `tokenizer` names that of the recogniser."""
    recognizer.model.save_pretrained(folder)
    if recognizer.prefiller.head is not None:
        recognizer.prefiller.head.save(folder)
    weight_hash = recognizer.tokenizer.weight_hash
    SpeechConfig(tokenizer, weight_hash, tasks=("asr",), languages=("en", "zh")).save(folder)
    return folder


def same(first: Transcript, second: Transcript) -> None:
    """Two transcripts agree, but for rounding of probabilities."""
    assert (first.text, first.tokens, first.ended) == (second.text, second.tokens, second.ended)
    assert first.log_prob == pytest.approx(second.log_prob, rel=1e-4, abs=1e-4)
    assert first.words == second.words


def noise(samples: int, channels: int = 1, seed: int = 0) -> torch.Tensor:
    """Audio `[C, T]`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(channels, samples, generator=generator) - 0.5


@pytest.fixture(scope="session")
def recognizer(small_model) -> Recognizer:
    """With a CTC head of 2 positions per frame; do not change it in a test."""
    return make(small_model)


@pytest.fixture(scope="session")
def headless(small_model) -> Recognizer:
    """The same without a CTC head."""
    return make(small_model, with_head=False)

"""A small random speech model in a folder, with its codec beside it."""

from pathlib import Path

import pytest
import torch

from catok.lm.config import LanguageConfig
from catok.lm.sampling import SamplingConfig
from catok.lm.speech_config import SpeechConfig
from catok.lm.tts import Synthesizer
from tests.lm.conftest import build, small_config

RESTRICTED = SamplingConfig(text_temperature=2.0, restrict_text=True)


def voice(seconds: float = 0.8, seed: int = 0, channels: int = 1) -> torch.Tensor:
    """Audio `[C, T]` at 24 kHz that never repeats, at about -20 dBFS."""
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(channels, round(seconds * 24_000), generator=generator)


def save_speech_model(folder: Path, codec, **changes) -> Path:
    """Write a language model for the small codec, and the codec in a folder in it."""
    language = LanguageConfig(
        vocab_size=264,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=1024,
    )
    config = small_config(audio_vocab_size=64, audio_pad_code=64, language_config=language)
    build(config).save_pretrained(folder)
    codec.save_pretrained(folder / "codec")
    settings = {"tokenizer": "codec", "weight_hash": codec.weight_hash, "sampling": RESTRICTED}
    SpeechConfig(**(settings | changes)).save(folder)
    return folder


@pytest.fixture(scope="session")
def speech_folder(small_model, tmp_path_factory) -> Path:
    """The folder; do not change it in a test."""
    return save_speech_model(tmp_path_factory.mktemp("speech") / "model", small_model)


@pytest.fixture(scope="session")
def synth(speech_folder) -> Synthesizer:
    """The model in it: four codebooks of the codec's eight; ends after a few frames."""
    return Synthesizer.from_pretrained(speech_folder)

"""A small model in a folder, a recording, and the command line in process."""

import io
import sys
from pathlib import Path

import pytest
import torch

from catok import CausalAudioTokenizer, load_audio, save_audio
from catok.cli import main
from catok.lm.tts import Synthesizer
from tests.lm.tts.conftest import save_speech_model, voice

SHORT = ("--max-seconds", "0.5")


@pytest.fixture(scope="session")
def model_folder(small_model, tmp_path_factory) -> Path:
    """`small_model`, saved."""
    folder = tmp_path_factory.mktemp("models") / "small"
    small_model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def saved_model(model_folder) -> CausalAudioTokenizer:
    """`small_model` as the commands load it."""
    return CausalAudioTokenizer.from_pretrained(model_folder)


def noise(samples: int, channels: int = 1, seed: int = 0) -> torch.Tensor:
    """Audio `[C, T]` that never repeats."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(channels, samples, generator=generator) - 0.5


@pytest.fixture
def recording(tmp_path) -> Path:
    """1.3 s at 24 kHz mono, no whole number of frames."""
    save_audio(tmp_path / "speech.wav", noise(31_234), 24_000)
    return tmp_path / "speech.wav"


@pytest.fixture
def catok(model_folder):
    """Run a command line with `--model` set, paths allowed; returns the exit code."""

    def run(command: str, *arguments: str | Path) -> int:
        return main([command, *map(str, arguments), "--model", str(model_folder)])

    return run


@pytest.fixture
def stdin(monkeypatch):
    """Put bytes on standard input."""

    def put(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


@pytest.fixture(scope="session")
def speech_folder(small_model, tmp_path_factory) -> Path:
    """A speech model of random weights, saved."""
    return save_speech_model(tmp_path_factory.mktemp("speech") / "model", small_model)


@pytest.fixture(scope="session")
def synth(speech_folder) -> Synthesizer:
    """The speech model as the commands load it."""
    return Synthesizer.from_pretrained(speech_folder)


@pytest.fixture
def tts(speech_folder):
    """Run `catok tts` with the speech model, half a second at most; returns the exit code."""

    def run(*arguments):
        return main(["tts", *map(str, arguments), "--model", str(speech_folder), *SHORT])

    return run


@pytest.fixture
def reference(tmp_path):
    """A recording of a voice."""
    save_audio(tmp_path / "ref.wav", voice(), 24_000)
    return tmp_path / "ref.wav"


def near(path_or_file, audio: torch.Tensor) -> bool:
    """Whether a 24 kHz file holds this audio, but for rounding to 16 bits."""
    found, rate = load_audio(path_or_file)
    assert rate == 24_000 and found.shape == audio.shape
    return torch.allclose(found, audio.clamp(-1, 1), atol=2 / 32768)

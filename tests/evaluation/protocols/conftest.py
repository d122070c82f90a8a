"""Recognisers and metrics that need no models, and short audio files."""

from pathlib import Path

import pytest
import torch

from catok import save_audio
from catok.evaluation.metrics.base import Column

RATE = 8000


def tone(samples: int, level: float = 0.1) -> torch.Tensor:
    """Audio `[1, T]` that is not silent."""
    return level * torch.sin(torch.arange(samples) * 0.3)[None]


class ByLength:
    """Hears the text that belongs to the number of samples."""

    name = "by length"

    def __init__(self, texts: dict[int, str]) -> None:
        self.texts = texts
        self.languages: list[str | None] = []

    def transcribe(self, audio, sample_rate, language=None) -> str:
        assert audio.ndim == 1
        self.languages.append(language)
        if len(audio) not in self.texts:
            raise ValueError(f"{len(audio)} samples: too short for me")
        return self.texts[len(audio)]


class LevelRatio:
    """Peak of the output by that of the prompt; refuses outputs under 0.05."""

    speech_only = False
    columns = (Column("ratio", "ratio"),)

    def __call__(self, sample) -> dict[str, float]:
        if float(sample.output.abs().max()) < 0.05:
            raise ValueError("too quiet")
        return {"ratio": float(sample.output.abs().max() / sample.reference.abs().max())}


@pytest.fixture
def put(tmp_path):
    """Write a text file below tmp_path; returns its path."""

    def write(name: str, *lines: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


@pytest.fixture
def record(tmp_path):
    """Write a tone below tmp_path; returns its path."""

    def write(name: str, samples: int = 800, level: float = 0.1) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_audio(path, tone(samples, level), RATE)
        return path

    return write

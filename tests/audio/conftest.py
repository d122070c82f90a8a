"""Noise, and files by another hand."""

from pathlib import Path

import soundfile
import torch


def noise(channels: int, samples: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(channels, samples, generator=generator) * 0.2).clamp(-1, 1)


def write(path: Path, audio: torch.Tensor, rate: int, subtype: str = "FLOAT") -> Path:
    """Write with soundfile directly, so that reading is tested against another hand."""
    soundfile.write(path, audio.T.numpy(), rate, subtype=subtype)
    return path

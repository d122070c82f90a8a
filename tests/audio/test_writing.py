"""Any format out, nothing half-written."""

import io
import math
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from catok.audio import (
    AudioWriter,
    load_audio,
    save_audio,
)

from .conftest import noise


@pytest.mark.parametrize("suffix", [".wav", ".flac", "", ".WAV"])
def test_all_16_bit_values_survive_save_and_load(tmp_path, suffix):
    audio = (torch.arange(-32768, 32768) / 32768)[None]
    path = tmp_path / f"x{suffix}"
    save_audio(path, audio, 24000)
    assert soundfile.info(path).subtype == "PCM_16"
    assert torch.equal(load_audio(path)[0], audio)


def test_save_clips_instead_of_wrapping(tmp_path):
    save_audio(tmp_path / "x.wav", torch.tensor([1.5, -1.5, 100.0, 0.5]), 24000)
    assert load_audio(tmp_path / "x.wav")[0].tolist() == [[32767 / 32768, -1.0, 32767 / 32768, 0.5]]
    save_audio(tmp_path / "x.wav", torch.tensor([1.5, -1.5]), 24000, subtype="FLOAT")
    assert soundfile.read(tmp_path / "x.wav")[0].tolist() == [1.0, -1.0]


def test_save_to_file_objects_with_gradient_and_half(tmp_path):
    file = io.BytesIO()
    save_audio(file, torch.full((2, 10), 0.5, dtype=torch.bfloat16, requires_grad=True), 24000)
    assert file.getvalue()[:4] == b"RIFF"
    assert torch.equal(load_audio(file)[0], torch.full((2, 10), 0.5))
    with open(tmp_path / "x.flac", "wb") as named:
        save_audio(named, noise(1, 10), 24000)
    assert (tmp_path / "x.flac").read_bytes()[:4] == b"fLaC"


def test_subtypes(tmp_path):
    audio = noise(1, 100)
    save_audio(tmp_path / "x.wav", audio, 24000, subtype="float")
    assert torch.equal(load_audio(tmp_path / "x.wav")[0], audio)
    with pytest.raises(ValueError, match=r"FLAC has no subtype 'FLOAT', choose one of .*PCM_24"):
        save_audio(tmp_path / "x.flac", audio, 24000, subtype="FLOAT")


def test_writer_joins_blocks_of_any_size(tmp_path):
    audio = noise(2, 200_000)
    with AudioWriter(tmp_path / "x.wav", 24000, 2, subtype="FLOAT") as writer:
        for block in audio.split([1, 0, 99_999, 100_000], dim=1):
            writer.write(block)
        assert not (tmp_path / "x.wav").exists()
    assert writer.samples == 200_000
    assert torch.equal(load_audio(tmp_path / "x.wav")[0], audio)
    assert os.listdir(tmp_path) == ["x.wav"]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.wav"
    save_audio(path, noise(1, 100), 24000)
    old = path.read_bytes()
    with pytest.raises(RuntimeError, match="stop"), AudioWriter(path, 24000, 1) as writer:
        writer.write(noise(1, 50_000))
        raise RuntimeError("stop")
    with pytest.raises(ValueError, match=r"x\.wav holds NaN or Inf"):
        save_audio(path, torch.tensor([[0.0, math.nan]]), 24000)
    with pytest.raises(ValueError, match="no samples to write"), AudioWriter(path, 24000, 1):
        pass
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["x.wav"]


def test_writing_errors(tmp_path):
    def refused(message, audio=None, path=tmp_path / "x.wav", rate=24000):
        with pytest.raises(ValueError, match=message):
            save_audio(path, noise(1, 100) if audio is None else audio, rate)

    missing = tmp_path / "missing" / "x.wav"
    refused("folder .*missing does not exist, create it first", path=missing)
    refused("not a regular file, choose another name", path=Path(os.devnull))
    refused(r"cannot write '\.xyz' audio, choose one of \.wav", path=tmp_path / "x.xyz")
    opus = r"OGG OPUS does not take 44100 Hz with 1 channels \(Opus only supports"
    refused(opus, path=tmp_path / "x.opus", rate=44100)
    refused("sample rate must be a positive integer", rate=0)
    refused("save one item at a time", audio=torch.zeros(1, 1, 10))
    refused(r"expected \[C, T\].*transpose it", audio=torch.zeros(100, 1))
    refused(r"float audio \[1, n\].*divide", audio=torch.zeros(1, 10, dtype=torch.int16))
    refused("no samples to write", audio=torch.zeros(1, 0))
    refused("no samples to write", audio=torch.zeros(0))
    with (
        pytest.raises(ValueError, match=r"expected float audio \[2, n\]"),
        AudioWriter(tmp_path / "x.wav", 24000, 2) as writer,
    ):
        writer.write(noise(1, 10))
    for closed in (writer, AudioWriter(tmp_path / "x.wav", 24000, 1)):
        with pytest.raises(ValueError, match="open the AudioWriter first"):
            closed.write(noise(1, 10))
    assert os.listdir(tmp_path) == []


def test_numpy_arrays_are_written_like_tensors(tmp_path):
    audio = torch.linspace(-1, 1, 400).reshape(2, 200)
    save_audio(tmp_path / "tensor.wav", audio, 8000)
    for given in (audio.numpy(), audio.double().numpy(), np.asfortranarray(audio.numpy())):
        save_audio(tmp_path / "array.wav", given, 8000)
        assert (tmp_path / "array.wav").read_bytes() == (tmp_path / "tensor.wav").read_bytes()
    for bad, message in (
        (audio.tolist(), "torch tensor or a NumPy array, got list"),
        (np.zeros((1, 10), dtype=np.int16), "float audio"),
    ):
        with pytest.raises(ValueError, match=message):
            save_audio(tmp_path / "bad.wav", bad, 8000)
    assert not (tmp_path / "bad.wav").exists()

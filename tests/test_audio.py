"""Audio files and tensors: any file in, exact lengths, bounded memory, nothing half-written."""

import io
import math
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.audio import (
    AudioWriter,
    audio_info,
    load_audio,
    mix,
    read_blocks,
    resample,
    save_audio,
)


def noise(channels: int, samples: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(channels, samples, generator=generator) * 0.2).clamp(-1, 1)


def write(path: Path, audio: torch.Tensor, rate: int, subtype: str = "FLOAT") -> Path:
    """Write with soundfile directly, so that reading is tested against another hand."""
    soundfile.write(path, audio.T.numpy(), rate, subtype=subtype)
    return path


# --- reading ------------------------------------------------------------------------------------


def test_load_gives_the_samples_as_they_are(tmp_path):
    audio = noise(2, 1000)
    for source in (write(tmp_path / "x.wav", audio, 44100), str(tmp_path / "x.wav")):
        loaded, rate = load_audio(source)
        assert rate == 44100
        assert loaded.dtype == torch.float32
        assert torch.equal(loaded, audio)
    with open(tmp_path / "x.wav", "rb") as file:
        file.seek(100)  # wherever it stands, the file is read from its start
        assert torch.equal(load_audio(file)[0], audio)


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        ("wav", "PCM_U8"),
        ("wav", "PCM_24"),
        ("wav", "DOUBLE"),
        ("flac", "PCM_16"),
        ("ogg", "VORBIS"),
        ("mp3", "MPEG_LAYER_III"),
    ],
)
def test_formats_keep_length_and_content(tmp_path, suffix, subtype):
    time = torch.arange(24000) / 24000
    audio = 0.5 * torch.sin(2 * math.pi * 440 * time)[None]
    path = tmp_path / f"x.{suffix}"
    save_audio(path, audio, 24000, subtype=subtype)
    assert soundfile.info(path).subtype == subtype
    loaded, _ = load_audio(path)
    assert loaded.shape == audio.shape
    assert torch.corrcoef(torch.cat([loaded, audio]))[0, 1] > 0.99


def test_one_sample_file(tmp_path):
    path = write(tmp_path / "x.wav", torch.full((1, 1), 0.5), 44100)
    assert torch.equal(load_audio(path)[0], torch.full((1, 1), 0.5))
    for rate, length in ((24000, 1), (44100, 1), (48000, 2), (8000, 1), (88200, 2)):
        assert load_audio(path, sample_rate=rate, channels=2)[0].shape == (2, length)


@pytest.mark.parametrize("rate", [8000, 24000, 44100, 48000])
@pytest.mark.parametrize("seconds", [0.0001, 0.013, 0.1, 10.0])
def test_blocks_joined_are_the_whole(tmp_path, rate, seconds):
    audio = noise(2, 10_007)
    path = write(tmp_path / "x.wav", audio, 44100)
    blocks = list(read_blocks(path, rate, 1, seconds=seconds))
    whole = load_audio(path, sample_rate=rate, channels=1)[0]
    expected = resample(audio.mean(dim=0, keepdim=True), 44100, rate).clamp(-1, 1)
    for got in (torch.cat(blocks, dim=1), whole):
        assert got.shape == (1, math.ceil(10_007 * rate / 44100))
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


def test_blocks_stay_small_and_are_read_as_needed(tmp_path):
    path = write(tmp_path / "x.wav", noise(1, 60 * 44100), 44100)
    with open(path, "rb") as file:
        blocks = read_blocks(file, 24000, 1, seconds=1.0)
        sizes = [next(blocks).shape[1]]
        assert file.tell() < path.stat().st_size / 20
        sizes += [block.shape[1] for block in blocks]
    assert sum(sizes) == 60 * 24000
    assert max(sizes) < 2 * 24000


def test_loaded_audio_is_clipped_to_full_scale(tmp_path):
    path = write(tmp_path / "x.wav", torch.tensor([[1.5, -2.0, 0.25]]), 24000)
    assert load_audio(path)[0].tolist() == [[1.0, -1.0, 0.25]]


def test_flac_that_does_not_state_its_length():
    """Encoders that write to a pipe leave the total at 0, "unknown"."""
    audio = noise(1, 30_000)
    file = io.BytesIO()
    soundfile.write(file, audio.T.numpy(), 24000, format="FLAC")
    data = bytearray(file.getvalue())
    data[21] &= 0xF0  # 36 bits of STREAMINFO: the number of samples
    data[22:26] = bytes(4)
    loaded, _ = load_audio(io.BytesIO(data))
    torch.testing.assert_close(loaded, audio, atol=1e-4, rtol=0)
    assert audio_info(io.BytesIO(data)).samples == 30_000


def test_info(tmp_path):
    info = audio_info(write(tmp_path / "x.wav", noise(2, 12000), 48000))
    assert (info.sample_rate, info.channels, info.samples, info.seconds) == (48000, 2, 12000, 0.25)


def test_reading_errors(tmp_path):
    def refused(path, message, **arguments):
        with pytest.raises(ValueError, match=message):
            load_audio(path, **arguments)

    refused(tmp_path / "none.wav", r"none\.wav does not exist: check the path")
    refused(tmp_path, "is a folder: give one audio file")
    (tmp_path / "empty.wav").touch()
    refused(tmp_path / "empty.wav", r"empty\.wav is empty \(0 bytes\)")
    refused(io.BytesIO(), r"the file object is empty \(0 bytes\)")
    (tmp_path / "text.wav").write_text("no audio here")
    refused(tmp_path / "text.wav", r"text\.wav is not audio that can be read .*: convert it")
    (tmp_path / "x.raw").write_bytes(bytes(100))
    refused(tmp_path / "x.raw", r"x\.raw is not audio that can be read")
    refused(io.StringIO("text"), 'is open as text: open it with mode "rb"')
    soundfile.write(tmp_path / "silent.wav", np.zeros((0, 1)), 24000)
    refused(tmp_path / "silent.wav", r"silent\.wav holds no samples")
    with pytest.raises(ValueError, match=r"silent\.wav holds no samples"):
        audio_info(tmp_path / "silent.wav")
    for value in (math.nan, math.inf, -math.inf):
        write(tmp_path / "bad.wav", torch.tensor([[0.0, value]]), 24000)
        refused(tmp_path / "bad.wav", r"bad\.wav holds NaN or Inf")
    write(tmp_path / "loud.wav", torch.tensor([[0.0, 32767.0]]), 24000)
    refused(tmp_path / "loud.wav", r"loud\.wav has samples of 32767: scale")
    soundfile.write(tmp_path / "cut.flac", noise(1, 30_000)[0].numpy(), 24000)
    data = (tmp_path / "cut.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(data[: len(data) // 2])
    refused(tmp_path / "cut.flac", r"cut\.flac is damaged after \d+ samples")

    good = write(tmp_path / "good.wav", noise(2, 100), 24000)
    refused(good, r"sample_rate for .*good\.wav must be a positive integer", sample_rate=0)
    refused(good, "must be a positive integer in Hz, got 24000.5", sample_rate=24000.5)
    refused(good, r"cannot mix .*good\.wav of 2 channels into 3: choose 2 or 1", channels=3)
    refused(good, "of 2 channels into 0", channels=0)
    with pytest.raises(ValueError, match="seconds must be positive"):
        read_blocks(good, 24000, 1, seconds=0)
    with pytest.raises(ValueError, match="does not exist"):  # at the call, not at the first block
        read_blocks(tmp_path / "none.wav", 24000, 1)
    with os.fdopen(os.pipe()[0], "rb") as pipe:
        refused(pipe, r"cannot seek: wrap its content in io\.BytesIO")


# --- resampling and mixing ----------------------------------------------------------------------

RATES = st.sampled_from([7, 8000, 11025, 16000, 22050, 24000, 44100, 48000, 192000])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 2000), RATES.filter(lambda rate: rate > 7), RATES)
def test_resampled_length_is_the_ceiling(samples, old, new):
    assert resample(noise(1, samples), old, new).shape == (1, -(-samples * new // old))


def test_resample_agrees_with_soxr_and_keeps_a_sine():
    audio = noise(2, 44100)
    result = resample(audio, 44100, 24000)
    reference = soxr.resample(audio.T.numpy(), 44100, 24000, quality="VHQ").T
    torch.testing.assert_close(result, torch.from_numpy(reference.copy()), atol=1e-6, rtol=0)

    tone = torch.sin(2 * math.pi * 440 * torch.arange(16000) / 16000)[None]
    expected = torch.sin(2 * math.pi * 440 * torch.arange(24000) / 24000)[None]
    torch.testing.assert_close(
        resample(tone, 16000, 24000)[:, 1000:-1000], expected[:, 1000:-1000], atol=1e-3, rtol=0
    )


def test_resample_keeps_batches_apart_and_dtype():
    batch = torch.stack([noise(2, 500, seed) for seed in range(3)])
    result = resample(batch, 24000, 16000)
    assert result.shape == (3, 2, 334)
    assert torch.equal(result[1], resample(batch[1], 24000, 16000))
    assert resample(batch.half(), 24000, 16000).dtype == torch.float16
    assert resample(batch, 24000, 24000) is batch


def test_resample_errors():
    for bad in (0, -1, 0.5):
        with pytest.raises(ValueError, match="sample rate must be a positive integer"):
            resample(noise(1, 10), 24000, bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected float samples"):
        resample(torch.zeros(1, 10, dtype=torch.int16), 24000, 16000)
    with pytest.raises(ValueError, match="expected float samples"):
        resample(torch.zeros(1, 0), 24000, 16000)


def test_mix(tmp_path):
    stereo = noise(2, 10)
    assert torch.equal(mix(stereo, 2), stereo)
    assert torch.equal(mix(stereo, 1)[0], (stereo[0] + stereo[1]) / 2)
    assert torch.equal(mix(stereo[:1], 2), torch.stack([stereo[0], stereo[0]]))
    batch = noise(3, 20).reshape(3, 1, 20)
    assert torch.equal(mix(batch, 2), torch.cat([batch, batch], dim=1))
    assert torch.equal(mix(noise(6, 20), 1), noise(6, 20).mean(0, keepdim=True))
    for have, want in ((2, 3), (6, 2), (2, 0)):
        with pytest.raises(ValueError, match=f"of {have} channels into {want}: choose {have} or 1"):
            mix(noise(have, 5), want)
    with pytest.raises(ValueError, match=r"add C with `audio\[None\]`"):
        mix(torch.zeros(10), 1)

    path = write(tmp_path / "stereo.wav", stereo, 24000)
    assert torch.equal(load_audio(path, channels=1)[0], mix(stereo, 1))
    path = write(tmp_path / "mono.wav", stereo[:1], 24000)
    assert torch.equal(load_audio(path, channels=2)[0], mix(stereo[:1], 2))


# --- writing ------------------------------------------------------------------------------------


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
    refused("OGG OPUS does not take 44100 Hz", path=tmp_path / "x.opus", rate=44100)
    refused("sample rate must be a positive integer", rate=0)
    refused("save one item at a time", audio=torch.zeros(1, 1, 10))
    refused(r"expected \[C, T\].*transpose it", audio=torch.zeros(100, 1))
    refused(r"expected float audio \[1, n\]", audio=torch.zeros(1, 10, dtype=torch.int16))
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

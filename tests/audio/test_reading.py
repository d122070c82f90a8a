"""Any file in, exact lengths, bounded memory."""

import io
import math
import os
import tempfile

import numpy as np
import pytest
import soundfile
import torch

from catok.audio import (
    audio_info,
    load_audio,
    load_crop,
    read_blocks,
    resample,
    save_audio,
)

from .conftest import noise, write


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


@pytest.mark.parametrize("rate", [8000, 22_050, 24_000, 44_100])
def test_a_crop_begins_at_the_sample_that_its_offset_names(tmp_path, rate):
    """In floating point, 27 / 24000 * 24000 is less than 27."""
    whole, _ = load_audio(write(tmp_path / "x.wav", noise(1, 1200), rate))
    for place in (15, 27, 49, 1001):
        crop = load_crop(tmp_path / "x.wav", place / rate, 0.01, sample_rate=rate, channels=1)
        assert torch.equal(crop[0, :9], whole[0, place : place + 9])


def test_reading_errors(tmp_path):
    def refused(path, message, **arguments):
        with pytest.raises(ValueError, match=message):
            load_audio(path, **arguments)

    refused(tmp_path / "none.wav", r"none\.wav does not exist: check the path")
    refused(tmp_path, "is a folder: give one audio file")
    (tmp_path / "empty.wav").touch()
    refused(tmp_path / "empty.wav", r"empty\.wav is empty \(0 bytes\)")
    refused(io.BytesIO(), r"the file object is empty \(0 bytes\)")
    for nameless in (tempfile.TemporaryFile, tempfile.SpooledTemporaryFile):  # named 7 and None
        with nameless() as file:
            refused(file, r"^the file object is empty")
    (tmp_path / "text.wav").write_text("no audio here")
    refused(tmp_path / "text.wav", r"text\.wav is not audio that can be read .*: convert it")
    (tmp_path / "x.raw").write_bytes(bytes(100))
    refused(tmp_path / "x.raw", r"x\.raw is not audio that can be read")
    refused(b"x.wav", "got bytes: give a path as text, or wrap a file's content in io.BytesIO")
    refused(3.5, "give a path or a file object, got float")
    refused(io.StringIO("text"), 'is open as text: open it with mode "rb"')
    soundfile.write(tmp_path / "silent.wav", np.zeros((0, 1)), 24000)
    refused(tmp_path / "silent.wav", r"silent\.wav holds no samples")
    with pytest.raises(ValueError, match=r"silent\.wav holds no samples"):
        audio_info(tmp_path / "silent.wav")
    for value in (math.nan, math.inf, -math.inf):
        write(tmp_path / "bad.wav", torch.tensor([[0.0, value]]), 24000)
        refused(tmp_path / "bad.wav", r"bad\.wav holds NaN or infinite")
    write(tmp_path / "loud.wav", torch.tensor([[0.0, 32767.0]]), 24000)
    refused(tmp_path / "loud.wav", r"loud\.wav has samples of 32767, full scale is 1")
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

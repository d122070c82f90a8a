"""A disk that is full: never half a file in place, and always an OSError; WAV above 4 GiB."""

import errno
import io
import os

import pytest
import soundfile
import torch

from catok.audio import AudioWriter, audio_info, load_audio, save_audio, wav

from ..conftest import small_disk
from .conftest import noise

FORMATS = ("wav", "w64", "aiff", "flac", "ogg", "opus", "mp3")


class SmallDisk(io.BytesIO):
    """Holds `room` bytes, then it is full."""

    def __init__(self, room: int, name: str) -> None:
        super().__init__()
        self.room, self.name = room, name

    def write(self, data) -> int:  # type: ignore[no-untyped-def]
        if self.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("missing", [1, 5000])
def test_a_disk_that_fills_up_is_an_error_even_in_the_last_flush(suffix, missing):
    audio = noise(1, 30_000)
    whole = SmallDisk(1 << 30, f"x.{suffix}")
    save_audio(whole, audio, 24_000)
    size = len(whole.getvalue())
    save_audio(SmallDisk(size, f"x.{suffix}"), audio, 24_000)
    with pytest.raises(OSError, match=rf"cannot write x\.{suffix}: No space left on device") as e:
        save_audio(SmallDisk(max(0, size - missing), f"x.{suffix}"), audio, 24_000)
    assert e.value.errno == errno.ENOSPC


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_old_file_stays_where_the_new_one_does_not_fit(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    audio = noise(1, 30_000)
    save_audio(path, audio, 24_000)
    old = path.read_bytes()
    with (
        small_disk(len(old) - 1),
        pytest.raises(OSError, match="cannot write .*File too large"),
    ):
        save_audio(path, audio, 24_000)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == [path.name]


def test_a_full_disk_ends_the_writing_soon(tmp_path):
    with (
        small_disk(100_000),
        pytest.raises(OSError, match="File too large"),
        AudioWriter(tmp_path / "x.flac", 24_000, 1) as writer,
    ):
        for _ in range(100):
            writer.write(noise(1, 24_000))
    assert writer.samples < 20 * 24_000
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "PCM_24"])
def test_wav_beyond_what_32_bits_count_is_rf64(tmp_path, monkeypatch, subtype):
    monkeypatch.setattr(wav, "LARGEST_RIFF", 10_000)
    monkeypatch.setattr(wav, "_BLOCK", 1000)
    audio = (noise(2, 7000) * 2**15).round() / 2**15
    for path in (tmp_path / "x.wav", io.BytesIO()):
        save_audio(path, audio, 24_000, subtype=subtype)
        loaded, rate = load_audio(path)
        assert (rate, audio_info(path).samples) == (24_000, 7000)
        assert torch.equal(loaded, audio)
        if isinstance(path, io.BytesIO):
            path.seek(0)
        with soundfile.SoundFile(path) as file:  # by another hand
            assert (file.format, file.frames, file.subtype) == ("RF64", 7000, subtype)
    save_audio(tmp_path / "small.wav", audio[:, :1000], 24_000)
    assert (tmp_path / "small.wav").read_bytes()[:4] == b"RIFF"


def test_aiff_beyond_4_gib_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(wav, "LARGEST_RIFF", 10_000)
    with pytest.raises(ValueError, match=r"AIFF holds at most 4 GiB, choose \.wav or \.flac"):
        save_audio(tmp_path / "x.aiff", noise(1, 70_000), 24_000)
    assert os.listdir(tmp_path) == []

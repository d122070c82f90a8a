"""What libsndfile does not read, by PyAV or the ffmpeg program; and what neither may do."""

import importlib.util
import io
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from catok.audio import AudioWarning, audio_info, ffmpeg, load_audio, load_crop, save_audio

from .conftest import noise

PROGRAM = shutil.which("ffmpeg")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="ffmpeg is not installed"),
]
RATE = 24_000


@pytest.fixture(params=["PyAV", "ffmpeg"])
def backend(request, monkeypatch):
    """Each of the two alone."""
    if request.param == "ffmpeg":
        monkeypatch.setattr(ffmpeg, "find_spec", lambda name: None)
    elif importlib.util.find_spec("av") is None:
        pytest.skip("PyAV is not installed")
    else:
        monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: None)
    return request.param


@pytest.fixture(scope="module")
def wav(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("ffmpeg") / "x.wav"
    save_audio(path, 0.3 * noise(1, 2 * RATE), RATE)
    return path


def converted(wav: Path, name: str, *options: str) -> Path:
    path = wav.parent / name
    if not path.exists():
        command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(wav), *options]
        subprocess.run([*command, f"file:{path}"], check=True)
    return path


@pytest.mark.parametrize(
    ("name", "options", "lossless"),
    [
        ("x.m4a", ["-c:a", "aac"], False),
        ("x.aac", ["-c:a", "aac"], False),
        ("alac.m4a", ["-c:a", "alac"], True),
        ("x.mka", ["-c:a", "flac"], True),
        ("x.webm", ["-c:a", "libopus"], False),
        ("x.wma", ["-c:a", "wmav2"], False),
        ("film.mp4", ["-f", "lavfi", "-i", "color=s=64x64:r=5", "-shortest", "-c:a", "aac"], False),
    ],
)
def test_formats(backend, wav, name, options, lossless):
    path = converted(wav, name, *options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        audio, rate = load_audio(path)
    info = audio_info(path)
    assert (info.sample_rate, info.channels, info.samples) == (rate, 1, audio.shape[1])
    assert abs(audio.shape[1] / rate - 2) < 0.13
    original, _ = load_audio(wav)
    if lossless:
        assert torch.equal(audio, original)
    assert 0.5 < audio.std() / original.std() < 1.5
    place = rate // 2
    crop = load_crop(path, (place + 0.5) / rate, 0.1, sample_rate=rate, channels=1)
    assert torch.equal(crop, audio[:, place : place + rate // 10])


def test_file_objects_and_names_that_look_like_options(backend, wav, tmp_path, monkeypatch):
    path = converted(wav, "alac.m4a", "-c:a", "alac")
    expected, _ = load_audio(path)
    assert torch.equal(load_audio(io.BytesIO(path.read_bytes()))[0], expected)
    monkeypatch.chdir(tmp_path)
    for name in ("-i.m4a", "http:x.m4a", "a b;c'd.m4a", "-", "concat:a|b.m4a"):
        Path(name).write_bytes(path.read_bytes())
        assert torch.equal(load_audio(name)[0], expected)


def test_playlists_open_no_other_files(backend, wav, tmp_path):
    """HLS, concat and the like would read any file of this machine, or of others."""
    secret = converted(wav, "alac.m4a", "-c:a", "alac")
    playlists = {
        "x.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:{secret}\n#EXT-X-ENDLIST\n",
        "x.mp4": f"ffconcat version 1.0\nfile {secret}\n",
        "x.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
    }
    for name, text in playlists.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match="is not audio that can be read"):
            load_audio(tmp_path / name)


def test_files_without_audio_or_cut_short(backend, wav, tmp_path):
    picture = converted(wav, "still.mp4", "-f", "lavfi", "-i", "color=d=1", "-map", "1", "-an")
    with pytest.raises(ValueError, match="is not audio that can be read"):
        load_audio(picture)
    aac = converted(wav, "x.aac", "-c:a", "aac").read_bytes()
    with pytest.warns(AudioWarning, match="damaged|Input buffer exhausted"):
        half = load_audio(io.BytesIO(aac[: len(aac) // 2]))[0]
    assert 0.5 * RATE < half.shape[1] < 1.5 * RATE
    m4a = converted(wav, "x.m4a", "-c:a", "aac").read_bytes()
    with pytest.raises(ValueError, match="is not audio that can be read"):
        load_audio(io.BytesIO(m4a[: len(m4a) // 2]))


@pytest.mark.parametrize("name", ["noise.flac", "noise.mp3"])
def test_noise_is_no_audio(backend, tmp_path, name):
    """FFmpeg takes some of it for MP3, of no rate."""
    path = tmp_path / name
    for seed in range(4):
        path.write_bytes(np.random.default_rng(seed).bytes(3000))
        with pytest.raises(ValueError, match="is not audio that can be read"):
            load_audio(path)


def test_damage_inside_is_noted(backend, wav):
    for name, codec in (("x.aac", "aac"), ("alac.m4a", "alac")):
        data = bytearray(converted(wav, name, "-c:a", codec).read_bytes())
        middle = len(data) // 2
        data[middle : middle + 2000] = bytes(range(250)) * 8
        with pytest.warns(AudioWarning):
            audio, _ = load_audio(io.BytesIO(bytes(data)))
        assert audio.shape[1] > RATE


def test_without_both_the_error_says_how_to_convert(wav, monkeypatch):
    monkeypatch.setattr(ffmpeg, "find_spec", lambda name: None)
    path = converted(wav, "x.m4a", "-c:a", "aac")
    spaced = path.with_name("a b.m4a")
    shutil.copy(path, spaced)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: None)
    with pytest.raises(
        ValueError, match=r"convert it.*\nffmpeg -i '.*/a b\.m4a' '.*/a b\.m4a\.wav'"
    ):
        load_audio(spaced)

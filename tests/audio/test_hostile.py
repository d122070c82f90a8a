"""Any bytes: audio or a ValueError, within bounds of time and memory; lengths as they are read."""

import io
import struct
import warnings
from functools import cache
from time import monotonic

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catok.audio import audio_info, ffmpeg, load_audio, load_crop

from .conftest import noise

RATE = 24_000
SECONDS = 60.0  # what does not end in time takes hours; a busy machine is no fault
fuzzed = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
sizes = st.sampled_from([0, 1, 2, 3, 16, 1 << 16, 1 << 31, 0x7FFFF000, 0xFFFFFFF0, 0xFFFFFFFF])
shorts = st.sampled_from([0, 1, 2, 3, 6, 16, 24, 255, 256, 1024, 60_000, 0xFFFE, 0xFFFF])


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """What FFmpeg makes of broken files is not ours."""
    monkeypatch.setattr(ffmpeg, "find_spec", lambda name: None)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: None)


@cache
def whole(kind: str) -> bytes:
    """Two seconds in a format."""
    file = io.BytesIO()
    container, subtype = {
        "opus": ("OGG", "OPUS"),
        "vorbis": ("OGG", "VORBIS"),
        "mp3": ("MP3", None),
        "flac": ("FLAC", None),
        "aiff": ("AIFF", None),
        "caf": ("CAF", "PCM_16"),
        "au": ("AU", "PCM_16"),
        "w64": ("W64", "PCM_16"),
        "sph": ("NIST", "PCM_16"),
    }[kind]
    sound = 0.5 * np.sin(np.arange(2 * RATE) / 30) + noise(1, 2 * RATE)[0].numpy()
    soundfile.write(file, sound, RATE, format=container, subtype=subtype)
    return file.getvalue()


def attempt(data: bytes) -> None:
    """Read in every way: nothing but ValueError, the lengths agree, and none takes long."""
    started = monotonic()
    samples = None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            audio, _ = load_audio(io.BytesIO(data), channels=1)
            samples = audio.shape[1]
            assert audio.isfinite().all() and audio.abs().max() <= 1
        except ValueError as error:
            assert str(error)
        try:
            info = audio_info(io.BytesIO(data))
            assert samples is None or warned or info.samples == samples
            assert info.samples <= len(data) * 10_000
        except ValueError:
            assert samples is None
        try:
            load_crop(io.BytesIO(data), 0.1, 0.1, sample_rate=RATE, channels=1)
        except ValueError as error:
            assert str(error)
    assert monotonic() - started < SECONDS


@fuzzed
@given(
    magic=st.sampled_from([b"RIFF", b"RIFX", b"RF64", b"BW64"]),
    riff=sizes | st.integers(0, 2**32 - 1),
    tag=shorts | st.sampled_from([0x11, 0x31, 0x50, 0x55, 0x161]),
    channels=shorts,
    rate=sizes | st.sampled_from([8000, 24_000, 48_000, 200_000_000]),
    width=shorts,
    bits=shorts,
    form=st.integers(0, 40),
    extra=st.binary(max_size=40),
    before=st.binary(max_size=60),
    wide=st.none() | st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)),
    data=sizes | st.integers(0, 9000),
    samples=st.binary(max_size=300),
    zeros=st.integers(0, 5000),
    after=st.binary(max_size=60),
)
def test_wav_headers(
    magic, riff, tag, channels, rate, width, bits, form, extra, before, wide, data, samples, zeros,
    after,
):  # fmt: skip
    order = ">" if magic == b"RIFX" else "<"
    facts = struct.pack(f"{order}HHIIHH", tag, channels, rate, rate, width, bits) + extra
    ds64 = b"" if wide is None else struct.pack("<4sIQQQI", b"ds64", 28, *wide, 7, 0)
    attempt(
        magic
        + struct.pack(f"{order}I4s", riff, b"WAVE")
        + ds64
        + before
        + struct.pack(f"{order}4sI", b"fmt ", form)
        + facts[:form]
        + struct.pack(f"{order}4sI", b"data", data)
        + samples
        + bytes(zeros)
        + after
    )


@pytest.mark.parametrize(
    "kind", ["mp3", "vorbis", "opus", "flac", "aiff", "caf", "au", "w64", "sph"]
)
@settings(fuzzed, max_examples=40)
@given(data=st.data())
def test_damaged_files(kind, data):
    """Bytes changed, taken out, put in and cut off, most often in the header."""
    content = bytearray(whole(kind))
    for _ in range(data.draw(st.integers(0, 4))):
        size = len(content)
        place = data.draw(st.integers(0, 200) | st.integers(0, max(0, size - 1)))
        change = data.draw(st.sampled_from(["set", "big", "insert", "remove", "repeat"]))
        if change == "set":
            content[place : place + 1] = data.draw(st.binary(min_size=1, max_size=8))
        elif change == "big":
            content[place : place + 4] = b"\xff\xff\xff\x7f"
        elif change == "insert":
            content[place:place] = data.draw(st.binary(max_size=500))
        elif change == "remove":
            del content[place : place + data.draw(st.integers(1, 3000))]
        else:
            content += content[place:]
    cut = data.draw(st.none() | st.integers(0, len(content)))
    attempt(bytes(content[:cut]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        b"RIFF\0\0\0\0WAVE" + struct.pack("<4sI", b"LIST", 0) * 60_000,  # chunks without end
        b"OggS" * 60_000,
        b"\xff\xfb\x90\x00" * 60_000,
        b"ID3\x03\0\0\0\0\0\0" * 60_000,
        b"ID3\x03\0\0\x7f\x7f\x7f\x7f",
        b"TAG" * 60_000,
        b"APETAGEX" * 30_000,
        bytes(600_000),
        b"\xff" * 600_000,
        whole("mp3") + b"\xff" * 600_000,
        whole("mp3") + b"\xff\xfb\x90\x00" * 60_000,
        whole("vorbis") + b"OggS" * 60_000,
        whole("vorbis")[:4000] * 500,
    ],
)
def test_bytes_that_are_slow_to_look_through(data):
    attempt(data)


def test_thousands_of_recordings_in_one_file_are_refused():
    wav = io.BytesIO()
    soundfile.write(wav, np.zeros(10), RATE, format="WAV")
    with pytest.raises(ValueError, match="more than 1000 recordings: split it"):
        load_audio(io.BytesIO(wav.getvalue() * 1001))

"""Reading reaches the end of what is there, or says where it stopped; crops are samples of it."""

import io
import math
import os
import struct
import warnings

import numpy as np
import pytest
import soundfile
import torch

from catok.audio import AudioWarning, audio_info, load_audio, load_crop

from .conftest import noise

RATE = 24_000


def sweep(seconds: float = 2.0, rate: int = RATE) -> np.ndarray:
    """A tone that rises: every place in it sounds unlike the others."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.4 * np.sin(2 * math.pi * (200 + 400 * time) * time)).astype(np.float32)


def encoded(kind: str, audio: np.ndarray, rate: int = RATE, subtype: str | None = None) -> bytes:
    """A whole file. MP3 is of variable bitrate, as its default is not."""
    file = io.BytesIO()
    how = {"bitrate_mode": "VARIABLE", "compression_level": 0.4} if kind == "MP3" else {}
    subtype = {"OPUS": "OPUS", "OGG": "VORBIS"}.get(kind, subtype)
    kind = "OGG" if kind == "OPUS" else kind
    with soundfile.SoundFile(
        file, "w", rate, audio.shape[1] if audio.ndim == 2 else 1, subtype, format=kind, **how
    ) as writer:
        writer.write(audio)
    return file.getvalue()


def read(data: bytes) -> torch.Tensor:
    """The samples, which must be as many as `audio_info` says, and nothing to warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        audio, _ = load_audio(io.BytesIO(data))
    assert audio_info(io.BytesIO(data)).samples == audio.shape[1]
    return audio


def read_noted(data: bytes, note: str) -> torch.Tensor:
    """Likewise, with something to warn of."""
    with pytest.warns(AudioWarning, match=note):
        audio, _ = load_audio(io.BytesIO(data))
    assert audio_info(io.BytesIO(data)).samples == audio.shape[1]
    return audio


def without_xing(mp3: bytes) -> bytes:
    """As an encoder writes it to a pipe: without the frame that counts the others."""
    start = max(mp3.find(b"Xing"), mp3.find(b"Info"))
    second = mp3.find(mp3[:2], start)
    assert 0 < start < second
    return mp3[second:]


def similar(got: torch.Tensor, wanted: np.ndarray) -> float:
    """Correlation, lossy codecs and their delay of up to 2000 samples allowed for."""
    size = min(got.shape[1], len(wanted)) - 2000
    sound = got[0, : size + 2000].numpy().astype(np.float64)
    reference = wanted[:size].astype(np.float64)
    transform = np.fft.rfft(sound, 2 * len(sound)) * np.fft.rfft(reference, 2 * len(sound)).conj()
    delay = int(np.argmax(np.fft.irfft(transform)[:2000]))
    return float(np.corrcoef(sound[delay : delay + size], reference)[0, 1])


@pytest.mark.parametrize("seconds", [1, 5])
def test_mp3_of_variable_bitrate_without_a_count_of_frames(seconds):
    audio = np.concatenate([np.zeros(seconds * RATE // 2, np.float32), sweep(seconds / 2)])
    data = without_xing(encoded("MP3", audio))
    got = read(data)
    assert len(audio) - 600 <= got.shape[1] < len(audio) + 3 * 1152
    assert similar(got[:, len(audio) // 2 :], audio[len(audio) // 2 :]) > 0.9


@pytest.mark.parametrize("kind", ["MP3", "OGG", "OPUS", "WAV"])
def test_recordings_joined_in_one_file_are_all_read(kind):
    first, second = encoded(kind, sweep(1.0)), encoded(kind, -0.5 * sweep(0.7))
    whole = read(first + second)
    assert torch.equal(whole, torch.cat([read(first), read(second)], dim=1))


def test_joined_recordings_of_other_rates_and_channels_are_converted():
    first = encoded("OGG", sweep(1.0))
    second = encoded("OGG", np.stack([sweep(0.5, 48_000)] * 2, axis=1), 48_000)
    data = io.BytesIO(first + second)
    audio, rate = load_audio(data)
    assert (rate, audio.shape) == (RATE, (1, RATE + RATE // 2))
    assert audio_info(data).samples == RATE + RATE // 2
    assert similar(audio[:, RATE:], sweep(0.5)) > 0.9
    crop = load_crop(data, 0.9, 0.3, sample_rate=RATE, channels=1)
    torch.testing.assert_close(crop[:, :2400], audio[:, 21_600:RATE], atol=1e-4, rtol=0)
    assert crop.shape == (1, 7200)


def test_garbage_between_frames_is_passed_over_and_noted():
    data = without_xing(encoded("MP3", sweep(4.0)))
    middle = len(data) // 2
    got = read_noted(data[:middle] + b"\xff\xfb\x90\x00" * 300 + data[middle:], "are not audio")
    whole = read(data).shape[1]
    assert whole - 3 * 1152 <= got.shape[1] <= whole
    ogg = encoded("OGG", sweep(4.0))
    page = ogg.find(b"OggS", len(ogg) // 2)
    got = read_noted(ogg[:page] + b"garbage!" * 100 + ogg[page:], "800 bytes between its pages")
    assert torch.equal(got, read(ogg))


def test_tags_are_no_garbage():
    mp3 = without_xing(encoded("MP3", sweep(1.0)))
    size = 300_000
    id3 = b"ID3\x03\0\0" + bytes([0, size >> 14 & 127, size >> 7 & 127, size & 127])
    cover = b"\xff\xfb\x90\x00" * (size // 4)  # a picture may look like anything
    id3v1 = b"TAG" + bytes(125)
    whole = read(mp3)
    assert torch.equal(read(id3 + cover + mp3 + id3v1), whole)
    assert torch.equal(read_noted(bytes(5000) + mp3, "5000 bytes"), whole)
    twice = read(id3 + cover + mp3 + id3v1 + id3 + cover + mp3 + id3v1)
    assert 2 * whole.shape[1] - 600 < twice.shape[1] < 2 * whole.shape[1] + 600


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("WAV", r"cut short: \d+ of 192000 bytes of samples"),
        ("MP3", r"cut short: \d+ of \d+ frames"),
        ("OGG", "cut short: its last page"),
        ("OPUS", "cut short: its last page"),
    ],
)
def test_files_that_are_cut_short_are_read_as_far_as_they_go(kind, note):
    audio = sweep(4.0) + 0.3 * noise(1, 4 * RATE)[0].numpy()
    data = encoded(kind, audio)
    got = read_noted(data[: len(data) * 2 // 3], note)
    assert RATE < got.shape[1] < 3 * RATE
    assert similar(got, audio[: got.shape[1]]) > 0.9


def test_a_flac_that_is_cut_short_says_where_it_stopped():
    data = encoded("FLAC", noise(1, 4 * RATE)[0].numpy())
    with pytest.raises(ValueError, match="damaged after 4[0-9]{4} samples .*lost sync"):
        load_audio(io.BytesIO(data[: len(data) // 2]))


def test_what_follows_a_flac_is_not_taken_for_its_samples():
    flac = encoded("FLAC", noise(1, RATE)[0].numpy())
    alone = read(flac)
    assert torch.equal(read(flac + b"TAG" + bytes(125)), alone)
    assert torch.equal(read_noted(flac + flac, r"its last \d+ bytes are not read"), alone)


def test_what_follows_the_stated_end_is_noted():
    read_noted(encoded("WAV", sweep()) + b"\x13" * 777, "777 bytes after its stated end")


def wav(samples: bytes, *, data: int, riff: int = 0, before: bytes = b"") -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    head = struct.pack("<4sI4s", b"RIFF", riff, b"WAVE") + before + form
    return head + struct.pack("<4sI", b"data", data) + samples


@pytest.mark.parametrize("stated", [0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF - 36])
def test_a_wav_from_a_pipe_states_no_length_and_is_read_to_its_end(stated):
    samples = (sweep() * 32767).astype("<i2").tobytes()
    assert read(wav(samples, data=stated, riff=stated)).shape == (1, 2 * RATE)


def test_a_wav_without_samples_has_none_even_where_chunks_follow():
    after = struct.pack("<4sI", b"LIST", 4) + b"INFO"
    for data in (wav(b"", data=0), wav(after, data=0)):
        with pytest.raises(ValueError, match="holds no samples"):
            load_audio(io.BytesIO(data))


def test_chunks_of_odd_length_padded_or_not():
    samples = (sweep() * 32767).astype("<i2").tobytes()
    chunk = struct.pack("<4sI", b"LIST", 7) + b"INFOabc"
    for before in (chunk, chunk + b"\0"):
        assert read(wav(samples, data=len(samples), before=before)).shape == (1, 2 * RATE)
    bext = wav(samples, data=len(samples)) + struct.pack("<4sI", b"id3 ", 5) + b"abcde"
    assert read(bext).shape == (1, 2 * RATE)


def test_rf64_and_bw64():
    samples = (sweep() * 32767).astype("<i2").tobytes()
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, len(samples) + 80, len(samples), 2 * RATE, 0)
    for magic in (b"RF64", b"BW64"):
        data = magic + wav(samples, data=0xFFFFFFFF, riff=0xFFFFFFFF, before=ds64)[4:]
        assert read(data).shape == (1, 2 * RATE)


def test_a_wav_above_4_gib_is_read_whole(tmp_path):
    """A sparse file: header and end are written, what is between them takes no room."""
    samples = 2_200_000_000
    size = 2 * samples
    end = (sweep(1.0) * 32767).astype("<i2")
    for stated in (0xFFFFFFFF, size % 2**32):
        path = tmp_path / "huge.wav"
        with open(path, "wb") as file:
            header = wav(b"", data=stated, riff=0xFFFFFFFF)
            file.write(header)
            file.seek(len(header) + size - len(end) * 2)
            file.write(end.tobytes())
        assert audio_info(path).samples == samples
        crop = load_crop(path, (samples - RATE) / RATE, 1.0, sample_rate=RATE, channels=1)
        assert torch.equal(crop[0], torch.from_numpy(end / np.float32(32768)))


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "joined MP3", "MP3 of a pipe"])
def test_crops_are_samples_of_the_whole(kind):
    rng = np.random.default_rng(0)
    audio = np.concatenate([sweep(3.0), 0.1 * rng.standard_normal(3 * RATE).astype(np.float32)])
    data = encoded("MP3" if "MP3" in kind else kind, audio)
    if kind == "joined MP3":
        data += data
    elif kind == "MP3 of a pipe":
        data = without_xing(data)
    file = io.BytesIO(data)
    whole, _ = load_audio(file)
    for place in rng.integers(0, whole.shape[1] - 2400, 12):
        crop = load_crop(file, (place + 0.5) / RATE, 0.1, sample_rate=RATE, channels=1)
        wanted = whole[:, place : place + 2400]
        torch.testing.assert_close(crop, wanted, atol=1e-5, rtol=0)
    last = load_crop(file, (whole.shape[1] - 100.5) / RATE, 1.0, sample_rate=RATE, channels=1)
    assert last.shape[1] in (100, 101)
    with pytest.raises(ValueError, match="holds no samples at 1000 s"):
        load_crop(file, 1000, 1.0, sample_rate=RATE, channels=1)


@pytest.mark.parametrize(
    ("rate", "channels", "message"),
    [
        (2**31 - 1, 1, "sample rate .* at most 10000000 Hz, got 2147483647"),
        (200_000_000, 1, "sample rate .* at most 10000000 Hz"),
        (RATE, 1000, "1000 channels, not 1 to 256|not audio"),
        (RATE, 60_000, "channels|not audio"),
        (1, 1, "1 Hz to 24000 Hz is more than a factor of 1000"),
    ],
)
def test_absurd_headers_are_errors_of_the_file(rate, channels, message):
    form = (1, channels, rate, rate * 2 * channels % 2**32, 2 * channels % 2**16, 16)
    data = wav(bytes(48_000), data=48_000).replace(
        struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16), struct.pack("<HHIIHH", *form)
    )
    with pytest.raises(ValueError, match=message):
        load_audio(io.BytesIO(data), sample_rate=RATE, channels=1)


def test_an_error_of_the_disk_is_no_end_of_file():
    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 40_000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(OSError, match="Input/output error"):
        load_audio(Failing(encoded("WAV", sweep())))


@pytest.mark.parametrize("kind", ["MP3", "WAV"])
def test_names_that_are_not_utf_8(tmp_path, kind):
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9." + kind.lower().encode())
    with open(path, "wb") as file:
        file.write(encoded(kind, sweep()))
    assert load_audio(os.fsdecode(path))[0].shape[1] >= 2 * RATE

"""`catok decode` and `catok roundtrip`."""

import io

import pytest
import torch

from catok import Encoded, load_audio, save_audio

from .conftest import noise


@pytest.fixture
def encoded(catok, recording):
    """The recording's .cat file."""
    assert catok("encode", recording) == 0
    return recording.with_suffix(".cat")


def test_writes_what_the_library_decodes(catok, encoded, saved_model, tmp_path, capsys):
    assert catok("decode", encoded, "-o", tmp_path / "out.wav") == 0
    audio, rate = load_audio(tmp_path / "out.wav")
    expected = saved_model.decode(Encoded.load(encoded))[0].clamp(-1, 1)
    assert rate == 24_000 and audio.shape == (1, 31_234)
    assert torch.allclose(audio, expected, atol=2 / 32768)
    captured = capsys.readouterr()
    assert (
        captured.out == "" and "decoded 1.30 s of audio, 8 codebooks at 0.6 kbit/s" in captured.err
    )


def test_quantizers_use_a_prefix(catok, encoded, saved_model, tmp_path):
    assert catok("decode", encoded, "-o", tmp_path / "out.flac", "--quantizers", "2") == 0
    audio, _ = load_audio(tmp_path / "out.flac")
    expected = saved_model.decode(Encoded.load(encoded), 2)[0].clamp(-1, 1)
    assert torch.allclose(audio, expected, atol=2 / 32768)


def test_without_a_name_the_original_is_not_replaced(catok, encoded, recording, capsys):
    before = recording.read_bytes()
    assert catok("decode", encoded) == 1
    assert "speech.wav exists already" in capsys.readouterr().err
    assert recording.read_bytes() == before
    recording.unlink()
    assert catok("decode", encoded) == 0
    assert recording.is_file()


def test_standard_input_and_output(catok, encoded, stdin, tmp_path, capsysbinary):
    assert catok("decode", encoded, "-o", tmp_path / "out.wav") == 0
    stdin(encoded.read_bytes())
    assert catok("decode", "-") == 0
    piped, rate = load_audio(io.BytesIO(capsysbinary.readouterr().out))
    assert rate == 24_000
    assert torch.equal(piped, load_audio(tmp_path / "out.wav")[0])


def test_folders(catok, tmp_path, capsys):
    for name in ("x/one.wav", "x/y/two.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save_audio(tmp_path / name, noise(5_000), 24_000)
    assert catok("encode", tmp_path / "x", "-o", tmp_path / "codes") == 0
    (tmp_path / "codes" / "cut.cat").write_bytes(b"CATK")
    assert catok("decode", tmp_path / "codes", "-o", tmp_path / "back") == 1
    lines = capsys.readouterr().err.splitlines()
    assert "cut.cat is cut short" in lines[-2] and "decoded 2 of 3 files" in lines[-1]
    assert load_audio(tmp_path / "back" / "y" / "two.wav")[0].shape == (1, 5_000)
    assert not (tmp_path / "back" / "cut.wav").exists()


def test_the_format_of_many_and_of_standard_output(catok, encoded, stdin, tmp_path, capsysbinary):
    assert catok("decode", encoded.parent, "-o", tmp_path / "out", "--format", "flac") == 0
    (written,) = (tmp_path / "out").iterdir()
    assert written.name == "speech.flac" and written.read_bytes()[:4] == b"fLaC"
    capsysbinary.readouterr()
    stdin(encoded.read_bytes())
    assert catok("decode", "-", "-o", "-", "--format", "ogg") == 0
    assert capsysbinary.readouterr().out[:4] == b"OggS"
    assert catok("decode", encoded, "-o", tmp_path / "x.wav", "--format", "ogg") == 2
    assert b"ends in .ogg" in capsysbinary.readouterr().err


@pytest.mark.parametrize(
    "samples, depth",
    [(31_234, []), (1, ["--quantizers", "3"]), (1_920, []), (24_000 * 11, ["--quantizers", "3"])],
)
def test_roundtrip_is_encode_and_decode(catok, tmp_path, samples, depth, capsys):
    save_audio(tmp_path / "in.wav", noise(samples), 24_000)
    assert catok("roundtrip", tmp_path / "in.wav", "-o", tmp_path / "trip.wav", *depth) == 0
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and ("0.225 kbit/s" if depth else "0.6 kbit/s") in line
    assert "real-time factor" in line
    assert catok("encode", tmp_path / "in.wav", *depth) == 0
    assert catok("decode", tmp_path / "in.cat", "-o", tmp_path / "two.wav") == 0
    trip, two = (load_audio(tmp_path / name)[0] for name in ("trip.wav", "two.wav"))
    assert trip.shape == (1, samples)
    assert torch.allclose(trip, two, atol=2 / 32768)


def test_roundtrip_notes_a_conversion(catok, tmp_path, capsys):
    save_audio(tmp_path / "in.wav", noise(44_100, 2), 44_100)
    assert catok("roundtrip", tmp_path / "in.wav", "-o", tmp_path / "out.wav") == 0
    note, _ = capsys.readouterr().err.splitlines()
    assert "44100 Hz" in note
    assert load_audio(tmp_path / "out.wav")[0].shape == (1, 24_000)

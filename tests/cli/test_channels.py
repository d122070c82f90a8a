"""Recordings of many channels into models of few: --channels and --downmix."""

import torch

from catok import Encoded, load_audio, save_audio
from catok.audio import mix

from .conftest import noise


def test_surround_into_a_mono_model(catok, tmp_path, saved_model):
    audio = noise(24_000, channels=6)
    save_audio(tmp_path / "six.wav", audio, 24_000, subtype="FLOAT")

    def codes(*options: str) -> torch.Tensor:
        out = tmp_path / "x.cat"
        assert catok("encode", tmp_path / "six.wav", "-o", out, *options) == 0
        return Encoded.load(out).codes

    def expected(wanted: torch.Tensor) -> torch.Tensor:
        return saved_model.encode(wanted[None].clamp(-1, 1)).codes

    assert torch.equal(codes(), expected(mix(audio, 1)))
    assert torch.equal(codes("--downmix", "mean"), expected(audio.mean(0, keepdim=True)))
    assert torch.equal(codes("--downmix", "first"), expected(audio[:1]))
    assert torch.equal(codes("--channels", "3"), expected(audio[2:3]))
    assert torch.equal(codes("--channels", "3,4"), expected(audio[2:4].mean(0, keepdim=True)))


def test_roundtrip_takes_them_too(catok, tmp_path):
    save_audio(tmp_path / "six.wav", noise(24_000, channels=6), 24_000)
    for name, channel in (("a.wav", "1"), ("b.wav", "5")):
        out = tmp_path / name
        assert catok("roundtrip", tmp_path / "six.wav", "-o", out, "--channels", channel) == 0
    assert not torch.equal(load_audio(tmp_path / "a.wav")[0], load_audio(tmp_path / "b.wav")[0])


def test_wrong_channels(catok, tmp_path, capsys):
    save_audio(tmp_path / "six.wav", noise(2400, channels=6), 24_000)
    for channels, message in (
        ("7", "has 6 channels"),
        ("0", "write numbers from 1, such as 1 or 3,4"),
        ("left", "write numbers from 1"),
    ):
        assert catok("encode", tmp_path / "six.wav", "--channels", channels) == 1
        assert message in capsys.readouterr().err

"""Opus by program and by library: cost, alignment, lengths."""

import shutil

import pytest
import torch

from catok.evaluation.systems.opus import Opus, packet_sizes

CODERS = [
    pytest.param(
        "opusenc",
        marks=pytest.mark.skipif(shutil.which("opusenc") is None, reason="no opus-tools here"),
    ),
    "soundfile",
]


@pytest.mark.parametrize("coder", CODERS)
def test_cost_and_alignment(speech, shift_of, coder):
    audio, rate = speech
    system = Opus(["6", 24.0, 96], coder=coder)
    outputs = {output.setting: output for output in system.run(audio, rate)}
    assert tuple(outputs) == system.settings == ("6 kbps", "24 kbps", "96 kbps")
    noise = {}
    for target, output in zip((6, 24, 96), outputs.values(), strict=True):
        assert output.audio.shape == audio.shape
        rate_spent = output.bits / (audio.shape[1] / rate) / 1000
        assert 0.8 * target < rate_spent < 1.4 * target  # variable bitrate
        assert abs(shift_of(audio[0], output.audio[0])) <= 1
        noise[target] = float((output.audio - audio).square().mean())
    assert noise[96] < noise[24] < noise[6]
    assert noise[96] < 0.01 * float(audio.square().mean())  # only if aligned


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("samples", [1, 441, 22_051])
def test_stereo_at_another_rate(coder, samples):
    audio = torch.rand(2, samples) - 0.5
    (output,) = Opus([12], coder=coder).run(audio, 44_100)
    assert output.audio.shape == audio.shape
    assert torch.equal(output.audio[0], output.audio[1])


@pytest.mark.parametrize("rate", ["5.9", 257, "much", "nan"])
def test_bitrates_out_of_range(rate):
    with pytest.raises(ValueError, match="Opus takes 6 to 256 kbps"):
        Opus([rate], coder="soundfile")
    with pytest.raises(ValueError, match="no bitrates"):
        Opus([], coder="soundfile")


def test_without_the_programs(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match=r'apt-get install opus-tools, or use "opus-soundfile"'):
        Opus()


def page(segments: bytes, payload: bytes) -> bytes:
    """An Ogg page with the given segment table; the fields between are not looked at."""
    return b"OggS" + bytes(22) + bytes([len(segments)]) + segments + payload


def test_packets_of_ogg_pages():
    first = page(bytes([10, 255, 0]), bytes(265))  # packets of 10 and, closed by a 0, of 255
    second = page(bytes([255]), bytes(255)) + page(bytes([45]), bytes(45))  # one over two pages
    assert packet_sizes(first + second) == [10, 255, 300]
    assert packet_sizes(b"") == []
    with pytest.raises(ValueError, match="cut short"):
        packet_sizes(first[:-1])
    with pytest.raises(ValueError, match="no Ogg page at byte 295"):
        packet_sizes(first + b"RIFF" + bytes(40))

"""Codec 2: real bits per frame, lengths, and the delay that is taken off."""

import shutil

import pytest
import torch

from catok.evaluation.systems import programs
from catok.evaluation.systems.codec2 import MODES, Codec2

needs_programs = pytest.mark.skipif(shutil.which("c2enc") is None, reason="no codec2 here")


@pytest.mark.slow
@needs_programs
def test_modes(speech, shift_of, envelope):
    audio, rate = speech
    seconds = audio.shape[1] / rate
    outputs = {output.setting: output for output in Codec2().run(audio, rate)}
    assert list(outputs) == list(MODES)
    for setting, output in outputs.items():
        assert output.audio.shape == audio.shape
        nominal = float(setting.removesuffix("C"))
        extra = 0.04 + 0.03  # seconds: a frame that is not full, and the delay
        assert nominal * seconds <= output.bits <= nominal * (seconds + extra)
        assert output.bits % MODES[setting].bits == 0
        width = rate // 50
        shift = shift_of(envelope(audio[0], width), envelope(output.audio[0], width))
        assert abs(shift) < 0.006 * rate, f"{setting}: {1000 * shift / rate:.1f} ms"


@needs_programs
@pytest.mark.parametrize("samples", [1, 8001])
def test_the_end_is_not_lost(samples):
    audio = 0.3 * torch.sin(torch.arange(samples) * 0.2).repeat(2, 1)
    for output in Codec2(["3200", "700C"]).run(audio, 8000):
        assert output.audio.shape == audio.shape
    if samples > 1:
        assert output.audio[:, -800:].abs().max() > 0.01


def test_errors(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/" + name)
    with pytest.raises(ValueError, match=r"modes 3200, 2400, 1600, 1200, 700C, not \['450'\]"):
        Codec2(["3200", "450"])
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="c2enc is not installed: apt-get install codec2"):
        Codec2()


def test_a_program_that_fails():
    with pytest.raises(ValueError, match="sh failed: out of paper"):
        programs.run("sh", "-c", "echo printing >&2; echo out of paper >&2; exit 3")
    with pytest.raises(ValueError, match="sh failed: exit status 4"):
        programs.run("sh", "-c", "exit 4")
    assert programs.run("sh", "-c", "sleep 0.05") >= 0.05

"""`catok plot`: pictures of recordings, codes and round trips."""

import pytest
import torch

from catok import Encoded
from catok.cli.excerpt import Excerpt
from catok.cli.figure import Codes, Sound, draw


@pytest.mark.slow
def test_recordings_codes_and_round_trips(catok, recording, tmp_path, capsys):
    assert catok("plot", recording) == 0
    assert recording.with_suffix(".png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    line = capsys.readouterr().err
    assert "drew 1.30 s of audio, 8 codebooks at 0.6 kbit/s" in line
    assert catok("plot", recording) == 1
    assert catok("encode", recording, "-q") == 0
    codes, out = recording.with_suffix(".cat"), tmp_path / "x.svg"
    options = ("--quantizers", "2", "8", "--start", "0.5", "--seconds", "0.4")
    assert catok("plot", codes, "-o", out, *options) == 0
    text = out.read_text()
    assert text.count("2 codebooks at 0.15 kbit/s") == 1 and "8 codebooks at 0.6 kbit/s" in text
    assert "drew 0.40 s of audio" in capsys.readouterr().err


@pytest.mark.parametrize("options, message", [
    (("--start", "9"), "behind the end"),
    (("--start", "nan"), "--start must be"),
    (("--quantizers", "9"), "from 1 to 8"),
    (("-o", "x.jpg"), "ends in .png, .svg, .pdf"),
])  # fmt: skip
def test_errors(catok, recording, options, message, capsys):
    assert catok("plot", recording, *options) in (1, 2)
    assert message in capsys.readouterr().err
    assert not recording.with_suffix(".png").exists()


def test_a_stretch_has_the_codes_and_the_sound_of_the_whole(saved_model, recording):
    from catok import load_audio

    whole = saved_model.encode(load_audio(recording)[0][None])
    cut = Excerpt(saved_model, 0.5, 0.3)
    audio, encoded = cut.recording(recording)
    assert audio.shape[1] == round(0.8 * 24_000)
    full = encoded.codes.shape[2] - 1  # the last frame may be cut short
    assert torch.equal(encoded.codes[..., :full], whole.codes[..., :full])
    same = cut.codes(whole)
    assert isinstance(same, Encoded) and int(same.sample_lengths) == audio.shape[1]
    decoded = cut.decoded(same, 8)
    assert torch.allclose(decoded, saved_model.decode(whole)[0, :, : decoded.shape[1]], atol=1e-5)
    assert cut.sound("x", audio).span == pytest.approx((0.5, 0.8))


def test_a_name_is_no_mathematics(tmp_path):
    sound = Sound("x", torch.rand(1, 4800) - 0.5, 24_000, 0.0)
    codes = Codes(torch.zeros(4, 3, dtype=torch.long), 64, 12.5, 0.0)
    draw(tmp_path / "x.svg", ".svg", r"$\frac{ <b>&", [sound], codes)
    assert r"$\frac{ &lt;b&gt;&amp;" in (tmp_path / "x.svg").read_text()

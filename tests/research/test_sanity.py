"""The table of outputs whose quality is known beforehand."""

import json

import pytest
import torch
from research.sanity import main, outputs

pytestmark = pytest.mark.slow


def test_what_is_done_to_the_recording():
    audio = torch.randn(1, 48_000)
    made = outputs(audio)
    assert made["identity"] is audio and all(x.shape == audio.shape for x in made.values())
    assert torch.equal(made["one sample late"][:, 1:], audio[:, :-1])
    assert float(made["noise instead"].norm()) == pytest.approx(float(audio.norm()), rel=1e-5)
    assert float((made["noise at 20 dB SNR"] - audio).norm() / audio.norm()) == pytest.approx(0.1)


def test_known_outputs_are_ranked(tmp_path, capsys):
    rows = main(["--metrics", "audio", "--out", str(tmp_path / "sanity.json")])
    assert json.loads((tmp_path / "sanity.json").read_text()) == rows
    for figure in ("mel_distance", "stft_distance", "spectral_convergence"):
        same, some, all_noise, late = (row[figure] for row in rows.values())
        assert 0 == same < late < some < all_noise
    assert rows["identity"]["si_sdr"] == 100 > rows["one sample late"]["si_sdr"] > 10
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 5 and lines[0].startswith("| figure | better | identity")

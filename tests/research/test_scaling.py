"""The scaling study on a miniature grid, and its fit on made-up losses."""

import json

import numpy as np
import pytest
import torch
from research.scaling import fit, run

from catok import CausalAudioTokenizer, TokenizerConfig, save_audio

pytestmark = pytest.mark.slow

pytest.importorskip("pystoi")


@pytest.fixture
def corpus(tmp_path):
    """Two noisy tones of two seconds, and a manifest of them."""
    (tmp_path / "clips").mkdir()
    time = torch.arange(50_000) / 24_000
    draw = torch.Generator().manual_seed(0)
    lines = []
    for pitch in (200, 330):
        tone = 0.3 * torch.sin(2 * torch.pi * pitch * time)
        noise = 0.05 * torch.randn(time.shape, generator=draw)
        save_audio(tmp_path / "clips" / f"{pitch}.wav", tone + noise, 24_000)
        lines.append(json.dumps({"audio": f"clips/{pitch}.wav", "duration": 50_000 / 24_000}))
    (tmp_path / "all.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path / "all.jsonl"


def test_a_miniature_grid(corpus, tmp_path, capsys):
    recipe = tmp_path / "r.toml"
    recipe.write_text("[[stages]]\nsteps = 9\n[data]\ncrop_seconds = 0.64\n")
    out = tmp_path / "grid"
    command = [f"--data={corpus}", f"--test={corpus}", f"--out={out}", f"--recipe={recipe}"]
    command += ["--widths", "32", "64", "--batches", "1", "2", "--steps", "2"]
    command += ["--depths", "1", "4", "--count", "1"]
    run.main(command)
    points = json.loads((out / "points.json").read_text())
    assert [(p["width"], p["batch"]) for p in points] == [(32, 1), (32, 2), (64, 1), (64, 2)]
    assert points[0]["parameters"] < points[2]["parameters"]
    assert all(p["mean"]["4"].keys() == {"mel", "stoi"} and p["steps"] == 2 for p in points)

    written = (out / "w64-b2" / "result.json").stat().st_mtime_ns
    run.main(command)  # all of it is done
    assert (out / "w64-b2" / "result.json").stat().st_mtime_ns == written

    fit.main([str(out / "points.json"), "--out", str(tmp_path / "fit")])  # too few for a law
    result = json.loads((tmp_path / "fit" / "scaling.json").read_text())
    assert result["fits"]["batch"]["1"]["law"] is None
    assert (tmp_path / "fit" / "scaling-parameters.png").is_file()
    assert "| 4 |" in capsys.readouterr().out


@pytest.mark.parametrize("width", [96, 256])
def test_resized_keeps_frames_and_quantizer(width):
    tiny = TokenizerConfig.preset("tiny")
    config = run.resized(tiny, width)
    assert (config.frame_size, config.quantizer) == (tiny.frame_size, tiny.quantizer)
    tok = CausalAudioTokenizer(config)
    assert tok.encode(torch.zeros(1, 1, 1920)).codes.shape == (1, 32, 1)


def test_resized_refuses_odd_widths():
    with pytest.raises(ValueError, match="multiple of 32"):
        run.resized(TokenizerConfig.preset("tiny"), 100)


@pytest.mark.parametrize(
    ("a", "b", "c", "sizes"),
    [
        (1.5, 300.0, 0.4, [1e6, 2e6, 4e6, 8e6, 16e6]),
        (0.8, 2.0, 1.0, [1, 2, 4, 8, 16]),
        (2.0, 50.0, 0.25, [1e5, 1e6, 1e7, 1e8]),
    ],
)
def test_fit_recovers_the_law(a, b, c, sizes):
    n = np.array(sizes, float)
    law = fit.fit(sizes, list(a + b * n**-c))
    assert (law.a, law.b, law.c) == pytest.approx((a, b, c), rel=1e-2)
    assert law.rms < 1e-6
    assert law(n) == pytest.approx(a + b * n**-c)


def test_fit_wants_three_sizes():
    with pytest.raises(ValueError, match="three"):
        fit.fit([1, 2], [1.0, 0.5])

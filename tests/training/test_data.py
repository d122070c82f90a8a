import json

import pytest
import torch

from catok import save_audio
from catok.training.config import DataConfig
from catok.training.data import CropSampler, read_manifest


@pytest.fixture
def corpus(tmp_path):
    """Recordings of one level each: 2 s speech at 0.1, 1 s music at 0.2, 0.05 s speech at 0.3."""
    lines = []
    for name, level, seconds, domain in (
        ("a", 0.1, 2.0, "speech"),
        ("b", 0.2, 1.0, "music"),
        ("c", 0.3, 0.05, "speech"),
    ):
        save_audio(tmp_path / f"{name}.wav", torch.full((1, int(seconds * 24_000)), level), 24_000)
        lines.append(
            {"audio": f"{name}.wav", "duration": seconds, "domain": domain, "band_edge": 4000}
        )
    lines[1]["band_edge"] = None
    manifest = tmp_path / "train.jsonl"
    manifest.write_text("\n".join(json.dumps(line) for line in lines))
    return manifest


def sampler(manifest, **changes):
    config = DataConfig(**{"crop_seconds": 0.4, "batch_size": 8, **changes})
    return CropSampler(
        read_manifest(manifest), config, sample_rate=24_000, channels=1, frame_size=1920
    )


def test_a_batch_depends_on_seed_and_step_only(corpus):
    one, two = sampler(corpus), sampler(corpus)
    one.batch(3)
    assert torch.equal(one.batch(7).audio, two.batch(7).audio)
    assert not torch.equal(one.batch(7).audio, one.batch(8).audio)
    assert one.batch(0).audio.shape == (8, 1, 5 * 1920)


def test_short_recordings_are_completed_with_silence(corpus):
    crops = torch.cat([sampler(corpus).batch(step).audio for step in range(40)])
    short = crops[(crops[:, 0, 0] - 0.3).abs() < 1e-3]
    assert len(short) > 0
    assert short[:, 0, 1200:].eq(0).all() and short[:, 0, :1200].ne(0).all()


def test_domains_are_drawn_by_their_weights(corpus):
    weighted = sampler(corpus, domain_weights={"speech": 1.0, "music": 3.0})
    edges = torch.cat([weighted.batch(step).band_edges for step in range(60)])
    assert 0.68 < edges.isinf().float().mean() < 0.82
    only = sampler(corpus, domain_weights={"music": 1.0})
    assert only.batch(0).band_edges.isinf().all()


def test_narrow_recordings_can_be_left_out(corpus):
    assert sampler(corpus, min_band_edge=5000.0).batch(0).band_edges.isinf().all()


def test_gain_varies_the_level_but_never_clips(corpus):
    levels = sampler(corpus, gain_db=(-20.0, 30.0)).batch(0).audio.amax(dim=(1, 2))
    assert levels.unique().numel() > 4 and levels.max() <= 1.0


def test_other_rates_are_resampled(tmp_path):
    save_audio(tmp_path / "x.wav", torch.full((2, 44_100), 0.1), 44_100)
    crop = sampler(tmp_path).batch(0).audio
    assert crop.shape == (8, 1, 5 * 1920)
    assert (crop[..., 200:-200] - 0.1).abs().max() < 1e-3


def test_bad_manifests(tmp_path, corpus):
    with pytest.raises(ValueError, match="no manifest or folder"):
        read_manifest(tmp_path / "none.jsonl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="lists no audio"):
        read_manifest(tmp_path / "empty")
    bad = tmp_path / "bad.jsonl"
    for line in ("{", '{"audio": "x.wav"}', "[]"):
        bad.write_text(line)
        with pytest.raises(ValueError, match="line 1"):
            read_manifest(bad)
    with pytest.raises(ValueError, match=r"names \['noise'\]"):
        sampler(corpus, domain_weights={"noise": 1.0, "speech": 1.0})
    with pytest.raises(ValueError, match="no recording passes"):
        sampler(corpus, min_band_edge=5000.0, domain_weights={"speech": 1.0})

"""A run is packed, continued elsewhere, and brought back, on the CPU in small."""

import json
import math

import numpy as np
import pytest
import torch
from recipes.tiny import accelerator, packing

from catok import CausalAudioTokenizer, save_audio
from catok.training.codec.data import read_cuts
from catok.training.codec.data.data_config import DataConfig
from catok.training.codec.losses.mel import MelLossConfig
from catok.training.codec.train_config import (
    CodecTrainConfig,
    GanConfig,
    OptimizerConfig,
    TrainStage,
)
from catok.training.codec.trainer import CodecTrainer
from catok.training.engine.checkpoint import load_run
from tests.conftest import small_settings

pytestmark = pytest.mark.slow


def tone(hz, seconds):
    return 0.3 * torch.sin(2 * torch.pi * hz * torch.arange(int(24_000 * seconds)) / 24_000)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Three seconds of speech in two bands, two of music, and a file that is none."""
    folder, rows = tmp_path_factory.mktemp("audio"), []
    for name, hz, seconds, domain, edge in (
        ("a", 200, 1.0, "speech", 8000),
        ("b", 300, 1.0, "speech", 8000),
        ("c", 400, 1.0, "speech", None),
        ("d", 500, 2.0, "music", None),
    ):
        save_audio(folder / f"{name}.wav", tone(hz, seconds)[None], 24_000)
        row = {"audio": f"{name}.wav", "duration": seconds, "domain": domain}
        rows.append(row if edge is None else row | {"band_edge": edge})
    (folder / "broken.wav").write_text("no audio")
    rows.append({"audio": "broken.wav", "duration": 1.0, "domain": "speech"})
    path = folder / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def packed(manifest, out, hours, piece_bytes=10**6):
    return packing.pack_audio([manifest], out, hours=hours, piece_bytes=piece_bytes)


def test_audio_comes_out_as_it_went_in_by_domain_and_band(manifest, tmp_path):
    paths, skipped = packed(manifest, tmp_path, {"speech": 1.0, "music": 1.0})
    assert [path.name for path in paths] == ["audio-0.tar"]
    assert len(skipped) == 1 and "broken.wav" in skipped[0]
    tracks = packing.unpack_audio(paths)
    lengths = {(t.domain, t.band_edge): len(t.audio) / 24_000 for t in tracks}
    assert lengths == pytest.approx(
        {
            ("speech", 8000.0): 2.1,  # two recordings, each with a pause
            ("speech", 12_000.0): 1.05,
            ("music", 12_000.0): 2.05,
        }
    )
    (music,) = (t.audio for t in tracks if t.domain == "music")
    heard, said = music[:48_000].astype(float) / 32768, tone(500, 2.0).numpy()
    assert np.corrcoef(heard, said)[0, 1] > 0.99  # in time, not a sample late


def test_pieces_are_no_larger_than_asked_for(manifest, tmp_path):
    paths, _ = packed(manifest, tmp_path, {"speech": 1.0, "music": 1.0}, piece_bytes=32_000)
    assert len(paths) > 1
    assert all(path.stat().st_size <= 32_000 for path in paths)
    assert len(packing.unpack_audio(paths)) == 3
    with pytest.raises(ValueError, match="larger pieces"):
        packed(manifest, tmp_path / "b", {"speech": 1.0}, piece_bytes=1000)
    with pytest.raises(ValueError, match="no audio"):
        packed(manifest, tmp_path / "c", {"birds": 1.0})


def test_a_domain_gives_no_more_than_its_hours(manifest, tmp_path):
    paths, _ = packed(manifest, tmp_path, {"speech": 1.5 / 3600})
    assert sum(len(t.audio) for t in packing.unpack_audio(paths)) / 24_000 < 2.2


def test_damaged_and_missing_pieces_are_refused(tmp_path):
    packing.write_pieces({"x": torch.arange(1000)}, tmp_path, "state", 3000)
    assert torch.equal(packing.read_pieces(tmp_path, "state")["x"], torch.arange(1000))
    piece = tmp_path / "state.1"
    piece.write_bytes(piece.read_bytes()[::-1])
    with pytest.raises(ValueError, match="not what was written"):
        packing.read_pieces(tmp_path, "state")
    piece.unlink()
    with pytest.raises(ValueError, match="lacks"):
        packing.read_pieces(tmp_path, "state")


def test_second_moments_survive_in_8_bits():
    squares = torch.logspace(-16, -2, 1000)
    moments = {"step": torch.tensor(7.0), "exp_avg": torch.ones(1000), "exp_avg_sq": squares}
    state = {"optimizer": {"w": moments}, "model": {"w": torch.randn(10)}, "step": 3}
    small = packing.shrink(state)
    assert small["optimizer"]["w"]["codes"].dtype == torch.uint8
    assert small["model"]["w"].dtype == torch.float16
    found = packing.grow(small)
    ratio = found["optimizer"]["w"]["exp_avg_sq"] / squares
    assert float(ratio.min()) > 0.9 and float(ratio.max()) < 1.1
    assert found["step"] == 3 and float(found["optimizer"]["w"]["step"]) == 7
    assert torch.allclose(found["model"]["w"], state["model"]["w"], atol=1e-3)


def test_crops_are_of_their_track_and_the_same_for_the_same_step():
    tracks = [
        packing.Track("speech", 8000.0, np.full(24_000, 3000, np.int16)),
        packing.Track("music", 12_000.0, np.full(48_000, -6000, np.int16)),
    ]
    config = DataConfig(crop_seconds=0.32, domain_weights={"speech": 1.0, "music": 3.0})
    corpus = accelerator.DeviceCorpus(tracks, config, torch.device("cpu"), seed=0)
    batch = corpus.batch(5, 200, 1920)
    assert batch.audio.shape == (200, 1, 7680)
    level, edges = batch.audio[:, 0, 0], batch.band_edges
    assert bool(((level > 0) == (edges == 8000)).all())
    assert torch.allclose(batch.audio, level[:, None, None].expand_as(batch.audio))
    assert 0.6 < float((edges == 12_000).float().mean()) < 0.9
    assert torch.equal(corpus.batch(5, 200, 1920).audio, batch.audio)
    with pytest.raises(ValueError, match="no track"):
        accelerator.DeviceCorpus(tracks, DataConfig(crop_seconds=9.0), torch.device("cpu"), 0)


def test_the_rate_falls_at_the_end():
    shares = [accelerator.share_of_rate(done) for done in (0.0, 0.75, 0.875, 1.0)]
    assert shares == pytest.approx([1, 1, 0.51, 0.02])


def test_a_run_goes_there_and_back(manifest, tmp_path, capsys):
    sizes = tmp_path / "small.json"
    sizes.write_text(json.dumps(small_settings()))
    config = CodecTrainConfig(
        stages=(TrainStage(3), TrainStage(1000)),
        architecture=str(sizes),
        data=DataConfig(crop_seconds=0.32, batch_size=2),
        optimizer=OptimizerConfig(learning_rate=3e-3, warmup_steps=2),
        mel=MelLossConfig(windows=(64,), mel_bins=(10,)),
        weights={"waveform": 1.0},
        gan=GanConfig("small"),
        ema=0.9,
    )
    run, pack, out = tmp_path / "run", tmp_path / "pack", tmp_path / "out"
    trainer = CodecTrainer(config, [(read_cuts(manifest), None)], [], run)
    for _, batches in zip(range(4), trainer.batches(), strict=False):
        trainer.train_step(batches)
    trainer.save()

    def call(*words):
        accelerator.main([str(word) for word in words])
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    call("pack", "--data", manifest, "--out", pack, "--piece-mb", 1, "--hours", "speech=1")
    call("shrink", "--run", run, "--out", pack, "--piece-mb", 0.05)
    sizes.unlink()  # there is nothing there but the pieces
    lines = call(
        *("train", "--pack", pack, "--out", out, "--seconds", 5, "--reserve", 0.5),
        *("--piece-mb", 0.05, "--device", "cpu", "--every", 0.2, "--set", "data.batch_size=4"),
    )
    assert lines[0]["hours"] == {"speech": pytest.approx(3.15 / 3600)}
    assert lines[-1]["steps"] > 0 and lines[-1]["seconds"] < 15
    assert 0 < lines[-1]["flop_share"] < 1 and lines[-1]["audio_per_second"] > 0
    assert math.isfinite(lines[-1]["mel"])
    assert max(path.stat().st_size for path in out.glob("state.[0-9]*")) <= 50_000
    sizes.write_text(json.dumps(small_settings()))
    (back,) = call("grow", "--pack", out, "--run", run)
    assert back["step"] == 4 + lines[-1]["steps"]
    before = trainer.codec.state_dict()
    saved = load_run(run)
    assert saved is not None and saved["step"] == back["step"]
    again = CodecTrainer(config, [(read_cuts(manifest), None)], [], run)
    assert again.step == back["step"]
    after = again.codec.state_dict()
    assert any(not torch.allclose(before[name], after[name]) for name in before)
    again.train_step(next(again.batches()))
    assert CausalAudioTokenizer.from_pretrained(run / "model").num_quantizers == 8

"""The probes of `tiny`: every one is a recipe that builds, and its bookkeeping adds up."""

import json
from pathlib import Path

import pytest
from research.tiny import corpus, curves, probe, work
from research.tiny.probes import PROBES

from catok import CausalAudioTokenizer, TokenizerConfig
from catok.training.codec.train_config import load_recipe

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", PROBES)
def test_every_probe_is_a_recipe(name, tmp_path):
    config = load_recipe(probe.RECIPE, PROBES[name].overrides(tmp_path))
    assert config.autocast and config.optimizer.min_lr_ratio == 1.0
    if config.architecture.endswith(".json"):
        TokenizerConfig.from_dict(json.loads(Path(config.architecture).read_text()))


def test_todays_shape_is_the_presets_and_the_largest_fits_25_megabytes():
    shape = PROBES["start"].shape
    assert shape is not None
    preset = TokenizerConfig.preset("tiny")
    found = TokenizerConfig.from_dict(shape.settings())
    assert [vars(s) | {"layer_scale": 0} for s in found.decoder] == [
        vars(s) | {"layer_scale": 0} for s in preset.decoder
    ]
    sizes = {
        name: sum(
            p.numel()
            for p in CausalAudioTokenizer(
                TokenizerConfig.from_dict(p.shape.settings())
            ).parameters()
        )
        for name, p in PROBES.items()
        if name in ("deep", "even", "wide", "200 Hz")
    }
    assert max(sizes.values()) < 12.5e6


def test_the_rate_falls_at_the_end():
    shares = [probe.share_of_rate(done) for done in (0, 0.75, 0.875, 1, 1.1)]
    assert shares == pytest.approx([1, 1, 0.51, 0.02, 0.02])


def test_work_is_counted_by_the_speed_of_the_machine(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(work.time, "process_time", lambda: clock[0])

    def piece(*_):
        clock[0] += 2 * work.REFERENCE  # half as fast as the reference

    monkeypatch.setattr(work, "_piece", piece)
    done = work.Work(cpu=10.0, nominal=5.0)
    done.begin()
    clock[0] += 8.0
    done.count()
    assert (done.cpu, done.nominal) == (pytest.approx(18), pytest.approx(9))


def test_slopes_are_per_doubling_between_a_quarter_and_three_quarters():
    rows = [
        {"minutes": minutes, "scores": {"32": {"stoi": stoi}}}
        for minutes, stoi in ((7.5, 0.5), (15.1, 0.6), (30, 0.7), (45, 0.8), (60, 0.9))
    ]
    found = curves.slope(rows, "32", "stoi", 60)
    assert found == pytest.approx(0.2 / 1.575, rel=1e-2)
    assert curves.slope(rows[:3], "32", "stoi", 60) is None


def test_manifests_are_joined_with_paths_that_lead_there(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.wav").touch()
        rows = [{"audio": f, "corpus": name, "duration": 60.0} for f in ("x.wav", "gone.wav")]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / name / "train.jsonl").write_text(lines)
    out = tmp_path / "fixed"
    out.mkdir()
    lines, minutes = corpus.joined([tmp_path / n / "train.jsonl" for n in ("a", "b")], out)
    assert [(out / json.loads(line)["audio"]).is_file() for line in lines] == [True, True]
    assert minutes == {"a": 1.0, "b": 1.0, "(missing files)": 2}

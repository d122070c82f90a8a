"""The loop end to end on a small model: it learns, resumes exactly and leaves folders to load."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from catok.lm.asr.ctc import CTCHead
from catok.lm.speech_config import SpeechConfig
from catok.lm.speech_model import load_speech_model
from catok.training.engine.save_schedule import is_due
from catok.training.lm.networks import build_lm_networks
from catok.training.lm.train_config import LMOptimizerConfig
from catok.training.lm.trainer import LMTrainer

from .conftest import new_networks, open_codes

pytestmark = pytest.mark.slow

TIMES = {
    "rows_per_second",
    "frames_per_second",
    "audio_per_second",
    "waiting_share",
    "padding_share",  # of the rows since the process began
}


def trainer(config, places, folder, lines=None, valid=True):
    networks = new_networks(config)
    corpus = open_codes(places, networks, config.data)
    report = (lambda line: None) if lines is None else lines.append
    return LMTrainer(config, networks, corpus, corpus if valid else None, folder, report=report)


def results(lines):
    """Log lines without what depends on the clock, and without the data's."""
    return [
        {k: v for k, v in line.items() if k not in TIMES}
        for line in lines
        if "utterances" not in line
    ]


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    return one == other


@pytest.fixture(scope="module")
def whole(config, places, tmp_path_factory):
    """The uninterrupted run: its folder, trainer and log."""
    folder, lines = tmp_path_factory.mktemp("whole"), []
    run = trainer(config, places, folder, lines)
    run.run()
    return folder, run, lines


def test_the_log_tells_what_was_learnt(whole):
    folder, _, lines = whole
    assert lines[0]["step"] == 0 and lines[0]["utterances"] == 7 and lines[0]["hours"] > 0
    logged = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert logged == lines
    steps = [line for line in lines if "total" in line]
    assert [line["step"] for line in steps] == [1, 2, 4, 6, 8]
    assert any(len(line.get("tts_channels", ())) == 5 for line in steps)
    assert any("asr_text" in line and "asr_ctc" in line for line in steps)
    assert {"rows_per_second", "grad_norm", "learning_rate", "num_quantizers"} < set(steps[0])
    valid = [line for line in lines if "valid_tts_1" in line]
    assert [line["step"] for line in valid] == [1, 4, 8]
    keys = {"valid_tts_1", "valid_tts_2", "valid_tts_4", "valid_asr_text", "valid_asr_ctc"}
    assert set(valid[0]) == {"step", *keys}


@pytest.mark.parametrize("cut", [1, 3, 4, 7])
def test_a_resumed_run_is_the_uninterrupted_run(config, places, tmp_path, whole, cut):
    _, uninterrupted, expected = whole
    first = trainer(config, places, tmp_path)
    stream = first.batches()
    while first.step < cut:
        result = first.train_step(next(stream))
        if is_due(first.step, config.log_every, config.steps):
            first.learner.loss_meter.reset()
    assert result.finite
    first.save()
    first.train_step(next(stream))  # what must not survive
    lines = []
    resumed = trainer(config, places, tmp_path, lines)
    assert resumed.step == cut
    resumed.run()
    after = [line for line in results(expected) if line["step"] > cut]
    assert results(lines) == after
    assert same(resumed.learner.state_dict(), uninterrupted.learner.state_dict())


def test_a_model_is_left_that_speaks_and_listens(whole, config, codec):
    folder, run, _ = whole
    for task in ("tts", "asr"):
        found = load_speech_model(folder / "model", task=task)
        average = run.learner.ema.average
        for name, weight in found.model.named_parameters():
            assert torch.equal(weight, average[f"model.{name}"]), name
        assert found.tokenizer.weight_hash == codec.weight_hash
    speech = SpeechConfig.load(folder / "model")
    assert speech.tasks == ("tts", "asr") and speech.languages == ("en",)
    assert speech.text == "bytes" and speech.weight_hash == codec.weight_hash
    assert speech.reference_seconds == run.config.data.reference_seconds
    ctc = CTCHead.load(folder / "model")
    assert torch.equal(ctc.linear.weight, average["ctc.linear.weight"])


def test_a_run_goes_on_from_a_model(whole, config, places, tmp_path):
    folder, _, _ = whole
    networks = build_lm_networks(replace(config, init_from=str(folder / "model")))
    assert networks.ctc is not None
    assert torch.equal(networks.ctc.linear.weight, CTCHead.load(folder / "model").linear.weight)


@pytest.mark.parametrize("task", ["tts", "asr"])
def test_it_learns(config, places, tmp_path, task):
    one = replace(
        config,
        steps=60,
        tasks={task: 1.0},
        ctc=config.ctc if task == "asr" else replace(config.ctc, weight=0.0),
        data=replace(config.data, rows_per_batch=100_000, clone=0.0, continuation=0.0),
        sequence_dropout=replace(config.sequence_dropout, probability=0.0),
        optimizer=LMOptimizerConfig(learning_rate=1e-2, warmup_steps=5),
        codec_embeddings="principal",
        ema=0.0,
        log_every=60,
        validate_every=60,
    )
    lines = []
    run = trainer(one, places, tmp_path, lines)
    before = run.validator.measure()
    run.run()
    after = [line for line in lines if any(key.startswith("valid_") for key in line)][-1]
    names = {"tts": ["valid_tts_4"], "asr": ["valid_asr_text", "valid_asr_ctc"]}[task]
    for name in names:
        assert after[name] < 0.7 * before[name], (before, after)


def test_a_signal_saves_and_ends(config, places, tmp_path):
    run = trainer(replace(config, log_every=1), places, tmp_path, valid=False)
    step = run.train_step

    def signalled(batches):
        if run.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(batches)

    run.train_step = signalled
    run.report = lambda line: None
    run.run()
    assert run.step == 3 and torch.load(tmp_path / "last.pt")["step"] == 3
    assert (tmp_path / "model" / "speech.json").is_file()


def test_it_saves_by_the_clock_and_keeps_models(config, places, tmp_path, monkeypatch):
    run = trainer(replace(config, save_minutes=0.0, keep_every=3), places, tmp_path, valid=False)
    saved = []
    monkeypatch.setattr(run, "save", lambda: saved.append(run.step))
    run.run()
    assert saved == [*range(1, 9)]
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["model-3", "model-6"]


def test_a_run_that_diverges_keeps_its_last_good_state(config, places, tmp_path):
    trainer(replace(config, steps=2), places, tmp_path).run()
    before = (tmp_path / "last.pt").read_bytes()
    wild = LMOptimizerConfig(learning_rate=1e30, warmup_steps=0)
    config = replace(config, optimizer=wild, save_minutes=0.0, max_bad_steps=3)
    for steps in (3, 8):
        with pytest.raises(ValueError, match="not finite"):
            trainer(replace(config, steps=steps), places, tmp_path).run()
    assert (tmp_path / "last.pt").read_bytes() == before


def test_nan_is_skipped_and_kept_and_stops_a_run_in_the_end(config, places, tmp_path):
    lines = []
    run = trainer(replace(config, max_bad_steps=3, ctc=config.ctc), places, tmp_path, lines)
    weight = run.networks.model.adapter.down_proj.weight
    handle = weight.register_hook(lambda gradient: gradient * float("nan"))
    before = {k: v.clone() for k, v in run.learner.objective.state_dict().items()}
    with pytest.raises(ValueError, match="3 steps in a row"):
        run.run()
    handle.remove()
    assert same(run.learner.objective.state_dict(), before)
    assert [line["step"] for line in lines if "finite" in line] == [1, 2]
    kept = torch.load(tmp_path / "bad" / "step-0-rank-0.pt", weights_only=True)
    assert kept["batches"][0]["task"] in ("tts", "asr")
    assert "total" in kept["metrics"]


def test_changed_settings_are_told(config, places, tmp_path):
    first = trainer(config, places, tmp_path)
    first.train_step(next(first.batches()))
    first.save()
    lines = []
    trainer(replace(config, steps=2), places, tmp_path, lines).run()
    assert {"step": 1, "settings_changed": {"steps": [8, 2]}} in lines
    with pytest.raises(ValueError, match="other networks"):
        trainer(replace(config, ctc=replace(config.ctc, per_frame=2)), places, tmp_path)
    torch.save({"step": 3}, tmp_path / "last.pt")
    with pytest.raises(ValueError, match="another version of catok .format older"):
        trainer(config, places, tmp_path)


def test_what_does_not_fit_is_refused(config, places, tmp_path):
    model = json.loads(Path(config.architecture).read_text()) | {"audio_heads": False}
    mute = tmp_path / "mute.json"
    mute.write_text(json.dumps(model))
    with pytest.raises(ValueError, match="cannot learn to speak"):
        build_lm_networks(replace(config, architecture=str(mute), tasks={"tts": 1.0, "asr": 1.0}))
    with pytest.raises(ValueError, match="channel_weights needs 5 numbers"):
        build_lm_networks(replace(config, channel_weights=(1.0, 1.0)))
    with pytest.raises(ValueError, match="codes run to"):
        build_lm_networks(replace(config, architecture="mini"))
    with pytest.raises(ValueError, match="'nonexistent' is neither a preset.*'mini'.*nor a .json"):
        build_lm_networks(replace(config, architecture="nonexistent"))
    with pytest.raises(ValueError, match="no folder"):
        build_lm_networks(replace(config, init_from="nonexistent"))
    with pytest.raises(ValueError, match="not both"):
        replace(config, init_from="tiny-tts", from_text_model="Qwen/Qwen3-1.7B")

"""The loop end to end on a small model: it learns, resumes exactly and leaves loadable folders."""

import json
import os
import signal
from dataclasses import replace

import pytest
import torch

from catok import CausalAudioTokenizer
from catok.training.codec.data import read_cuts
from catok.training.codec.discriminators.ensemble import Discriminators
from catok.training.codec.losses.mel import MelLossConfig
from catok.training.codec.semantic.head import SemanticHead
from catok.training.codec.train_config import TrainStage
from catok.training.codec.trainer import CodecTrainer
from catok.training.engine.save_schedule import GracefulStop

from ..conftest import CONFIG, EVERYTHING, same, tones

pytestmark = pytest.mark.slow

TIMES = {"audio_per_second", "waiting_share"}


def logged(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def results(lines):
    """Log lines without what depends on the clock."""
    return [{k: v for k, v in line.items() if k not in TIMES} for line in lines]


def test_a_run_learns_logs_and_leaves_a_model(tmp_path, corpora, run):
    config = replace(
        CONFIG, stages=(TrainStage(50),), mel=MelLossConfig(), initialize="random", keep_every=20
    )
    trainer, lines = run(tmp_path, corpora, config)
    totals = [line["total"] for line in lines if "total" in line]
    assert len(totals) == 50 and sum(totals[-10:]) < 0.8 * sum(totals[:10])
    assert logged(tmp_path) == lines
    plan, first = lines[:2]
    assert plan["step"] == 0 and plan["steps"] == 50 and plan["hours"]["speech"] > 0
    assert len(first["perplexity"]) == 8 and all(p >= 1 for p in first["perplexity"])
    assert first["audio_per_second"] > 0 and first["grad_norm"] > 0
    valid = [line for line in lines if "valid_mel_8" in line]
    assert [line["step"] for line in valid] == [1, 6, 12, 18, 24, 30, 36, 42, 48, 50]
    assert valid[-1]["valid_mel_8"] < valid[0]["valid_mel_8"]
    assert {"valid_mel_1", "valid_mel_2", "valid_mel_4"} < set(valid[0])
    assert "valid_semantic" not in valid[0]

    model = CausalAudioTokenizer.from_pretrained(tmp_path / "model")
    assert model.encode(torch.zeros(1, 1, 100)).codes.shape == (1, 8, 1)
    assert same(model.state_dict(), trainer.codec.state_dict())
    kept = CausalAudioTokenizer.from_pretrained(tmp_path / "model-20")
    assert not same(model.state_dict(), kept.state_dict())
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "last.pt", "log.jsonl", "model", "model-20", "model-40",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Where the uninterrupted run is kept, and its results."""
    return {"folder": tmp_path_factory.mktemp("whole")}


@pytest.mark.parametrize("cut", [2, 4, 6, 7])
def test_a_resumed_run_is_the_uninterrupted_run(tmp_path, texts, run, whole, cut):
    if "lines" not in whole:
        whole["trainer"], whole["lines"] = run(whole["folder"], texts, EVERYTHING)
    expected = whole["lines"]

    first = CodecTrainer(EVERYTHING, texts, texts, tmp_path)
    stream = first.batches()
    while first.step < cut:
        first.train_step(next(stream))
    first.save()
    with (tmp_path / "log.jsonl").open("w") as log:
        log.write('{"step": 1, "kept": 1}\n{"step": 8, "dropped": 1}\n{"step": 1, "hal')
    resumed, lines = run(tmp_path, texts, EVERYTHING)

    after = [line for line in expected if line["step"] > cut]
    assert lines[0]["step"] == cut and lines[0]["steps"] == 8
    assert results(lines[1:]) == [line | {"skipped_files": 0.0} if "total" in line else line
                              for line in results(after)]  # fmt: skip
    assert same(resumed.learner.state_dict(), whole["trainer"].learner.state_dict())
    assert logged(tmp_path) == [{"step": 1, "kept": 1}, *lines]


def test_the_run_with_everything_has_everything(texts, run, whole):
    """Or the test of resuming would prove little."""
    if "lines" not in whole:
        whole["trainer"], whole["lines"] = run(whole["folder"], texts, EVERYTHING)
    steps = [line for line in whole["lines"] if "total" in line]
    adversarial = {"adversarial", "feature", "discriminator", "discriminator_grad_norm"}
    for line in steps[:4]:
        assert not adversarial & set(line) and line["stage"] == 1
    for line in steps[4:]:
        assert adversarial < set(line) and line["stage"] == 2
    assert {"mel", "codebook", "commitment", "waveform", "semantic"} < set(steps[0])
    assert any(line["revived"] > 0 for line in steps)
    assert any(line["semantic"] > 0 for line in steps)
    assert [line["valid_semantic"] > 0 for line in whole["lines"] if "valid_mel_1" in line] == [
        True, True, True,
    ]  # fmt: skip
    # four steps of warm-up in each stage, to a peak of its own
    assert [line["learning_rate"] for line in steps] == pytest.approx(
        [3e-3 * n / 4 for n in (1, 2, 3, 4)] + [1e-3 * n / 4 for n in (1, 2, 3, 4)]
    )
    model = whole["folder"] / "model"
    discriminators = Discriminators.from_pretrained(model / "discriminators")
    assert same(discriminators.state_dict(), whole["trainer"].learner.discriminators.state_dict())
    head = SemanticHead.from_pretrained(model / "semantic")
    trained = whole["trainer"].learner.semantic.state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in head.state_dict().items())


def test_the_published_model_is_the_average(texts, run, whole):
    if "lines" not in whole:
        whole["trainer"], whole["lines"] = run(whole["folder"], texts, EVERYTHING)
    learner = whole["trainer"].learner
    model = CausalAudioTokenizer.from_pretrained(whole["folder"] / "model")
    published = dict(model.named_parameters())
    assert same(published, learner.ema.average)
    assert not same(published, dict(learner.codec.named_parameters()))


def test_a_finished_run_stays_as_it_is(tmp_path, corpora, run):
    config = replace(CONFIG, stages=(TrainStage(2),))
    first, _ = run(tmp_path, corpora, config)
    again, lines = run(tmp_path, corpora, config)
    assert lines == [] and again.step == 2
    assert same(first.learner.state_dict(), again.learner.state_dict())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_saves_and_ends(tmp_path, corpora, number):
    trainer = CodecTrainer(
        CONFIG, corpora, [], tmp_path, report=lambda line: os.kill(os.getpid(), number)
    )
    before = signal.getsignal(number)
    trainer.run()
    assert trainer.step == 1 and (tmp_path / "last.pt").is_file()
    assert signal.getsignal(number) is before


def test_what_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with GracefulStop() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_run_that_diverges_keeps_its_last_good_state(tmp_path, corpora, run):
    good = replace(CONFIG, stages=(TrainStage(3),))
    run(tmp_path, corpora, good, valid=[])
    before = (tmp_path / "last.pt").read_bytes()
    model = (tmp_path / "model" / "model.safetensors").read_bytes()
    wild = replace(CONFIG.optimizer, learning_rate=1e30, warmup_steps=0)
    config = replace(
        CONFIG, stages=(TrainStage(9),), optimizer=wild, save_minutes=0.0, max_bad_steps=3
    )
    with pytest.raises(ValueError, match="not finite"):
        run(tmp_path, corpora, config, valid=[])
    with pytest.raises(ValueError, match="this state is not saved"):  # by its last step
        run(tmp_path, corpora, replace(config, stages=(TrainStage(4),)), valid=[])
    assert (tmp_path / "last.pt").read_bytes() == before
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == model


def test_a_trial_changes_nothing(texts, tmp_path):
    trainer = CodecTrainer(
        replace(EVERYTHING, stages=(TrainStage(4, adversarial=True),)), texts, [], tmp_path
    )
    batches = next(trainer.batches())
    trainer.train_step(batches)
    before = {name: value.clone() for name, value in trainer.learner.generator.state_dict().items()}
    state = torch.get_rng_state()
    assert trainer.learner.is_finite(batches, trainer.step)
    assert same(trainer.learner.generator.state_dict(), before)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.no_grad():
        next(trainer.learner.discriminators.parameters()).fill_(float("inf"))
    assert not trainer.learner.is_finite(batches, trainer.step)


def test_it_saves_by_the_clock(tmp_path, corpora, monkeypatch):
    trainer = CodecTrainer(replace(CONFIG, save_minutes=0.0), corpora, [], tmp_path)
    saved = []
    monkeypatch.setattr(trainer, "save", lambda: saved.append(trainer.step))
    monkeypatch.setattr(trainer, "finish", lambda: None)
    trainer.run()
    assert saved == [*range(1, 13)]


def test_the_same_seed_gives_the_same_run_and_another_does_not(tmp_path, corpora, run):
    config = replace(CONFIG, stages=(TrainStage(2),))
    one, _ = run(tmp_path / "1", corpora, config)
    two, _ = run(tmp_path / "2", corpora, config)
    other, _ = run(tmp_path / "3", corpora, replace(config, seed=1))
    assert same(one.codec.state_dict(), two.codec.state_dict())
    assert not same(one.codec.state_dict(), other.codec.state_dict())


def test_threads_that_read_ahead_change_nothing(tmp_path, corpora, run):
    config = replace(CONFIG, stages=(TrainStage(3),))
    one, _ = run(tmp_path / "1", corpora, config)
    two, _ = run(tmp_path / "2", corpora, replace(config, data=replace(config.data, workers=2)))
    assert same(one.codec.state_dict(), two.codec.state_dict())


def test_broken_files_are_skipped_and_counted(tmp_path, run):
    folder = tmp_path / "corpus"
    folder.mkdir()
    tones(folder)
    manifest = folder / "list.jsonl"
    names = ["0.wav", "1.wav", "cut.wav"]
    lines = [{"audio": name, "duration": 2.0} for name in names]
    manifest.write_text("\n".join(json.dumps(line) for line in lines))
    (folder / "cut.wav").write_bytes((folder / "0.wav").read_bytes()[:3000])
    corpora = [(read_cuts(manifest), None)]
    _, lines = run(tmp_path / "run", corpora, valid=[])
    skipped = [line for line in lines if "skipped" in line]
    steps = [line for line in lines if "total" in line]
    assert skipped and all("cut.wav: " in line["skipped"] for line in skipped)
    assert len(steps) == 12 and steps[-1]["skipped_files"] == len(skipped)


def test_a_large_batch_is_not_initialised_on_whole(tmp_path, corpora, monkeypatch):
    from catok.training.codec import trainer

    heard = []
    monkeypatch.setattr(trainer, "FIRST_SECONDS", 1.0)
    monkeypatch.setattr(
        trainer, "initialize_from_audio", lambda c, audio, g, **_: heard.append(audio)
    )
    CodecTrainer(CONFIG, corpora, [], tmp_path)
    assert heard[0].shape == (4, 1, 7680)


def test_only_a_new_codec_is_initialised_from_its_audio(tmp_path, corpora, monkeypatch, run):
    from catok.training.codec import trainer

    config = replace(CONFIG, stages=(TrainStage(1),), initialize="random")
    run(tmp_path / "1", corpora, config)
    monkeypatch.setattr(trainer, "initialize_from_audio", lambda *_: pytest.fail("not wanted"))
    config = replace(config, initialize="principal", init_from=str(tmp_path / "1" / "model"))
    run(tmp_path / "2", corpora, config)

"""A small corpus and small recipes for tests that train."""

import json
from dataclasses import replace

import pytest
import torch

from catok import save_audio
from catok.training.codec import networks
from catok.training.codec.codebooks.revival import RevivalConfig
from catok.training.codec.data import Batch, DataConfig, read_cuts
from catok.training.codec.discriminators import ensemble
from catok.training.codec.learner import CodecLearner
from catok.training.codec.losses.mel import MelLossConfig
from catok.training.codec.networks import build_codec_networks
from catok.training.codec.semantic.semantic_config import SemanticConfig
from catok.training.codec.train_config import (
    CodecTrainConfig,
    GanConfig,
    TrainStage,
)
from catok.training.codec.trainer import CodecTrainer
from catok.training.engine.distributed import Group
from catok.training.engine.run_config import OptimizerConfig, ParameterGroup
from tests.conftest import small_settings

TOY_DISCRIMINATORS = ensemble.DiscriminatorConfig(
    periods=(2, 3), fft_sizes=(128,), period_channels=(4, 8), band_channels=4
)

CODEBOOKS = ParameterGroup(r"codebook\.weight$", lr_scale=4.0)
CONFIG = CodecTrainConfig(
    stages=(TrainStage(12),),
    architecture="small",
    data=DataConfig(crop_seconds=0.32, batch_size=2, gain_db=(-3.0, 0.0)),
    optimizer=OptimizerConfig(learning_rate=3e-3, warmup_steps=4, groups=(CODEBOOKS,)),
    mel=MelLossConfig(windows=(64, 512), mel_bins=(10, 40), scales_per_step=1),
    gan=GanConfig("toy"),
    log_every=1,
    validate_every=6,
)

EVERYTHING = replace(
    CONFIG,
    stages=(TrainStage(4), TrainStage(4, adversarial=True, batch_size=1, learning_rate=1e-3)),
    accumulate=2,
    ema=0.9,
    semantic=SemanticConfig.preset("mini"),
    revival=RevivalConfig(after=2),
    weights={"waveform": 1.0},
    gan=GanConfig("toy", crop_seconds=0.16),
    validate_every=4,
)


def tones(folder):
    """Two files of two seconds of a gliding tone."""
    time = torch.arange(48_000) / 24_000
    for index, start in enumerate((200.0, 500.0)):
        tone = 0.3 * torch.sin(2 * torch.pi * (start + 150 * time) * time)
        save_audio(folder / f"{index}.wav", tone, 24_000)


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    tones(folder)
    return folder


@pytest.fixture(scope="session")
def corpora(corpus_folder):
    return [(read_cuts(corpus_folder), None)]


@pytest.fixture(scope="session")
def texts(tmp_path_factory):
    """A manifest: three clips of 0.3 s with texts of several lengths, and 0.6 s without any."""
    folder = tmp_path_factory.mktemp("texts")
    lines = []
    for index, text in enumerate(("a", "some words", "quite a few more words", None)):
        seconds = 0.3 if text else 0.6
        time = torch.arange(round(seconds * 24_000)) / 24_000
        tone = 0.3 * torch.sin(2 * torch.pi * (200.0 + 100 * index) * time)
        save_audio(folder / f"{index}.wav", tone, 24_000)
        lines.append({"audio": f"{index}.wav", "duration": seconds, "text": text})
    manifest = folder / "texts.jsonl"
    manifest.write_text("\n".join(json.dumps(line) for line in lines))
    return [(read_cuts(manifest), None)]


@pytest.fixture(autouse=True)
def small_presets(monkeypatch):
    """Preset names: "small", the tests' small tokenizer, and "toy", small discriminators."""
    from catok.tokenizer.config import TokenizerConfig

    preset, known = TokenizerConfig.preset, TokenizerConfig.presets()

    def with_small(name):
        return TokenizerConfig.from_dict(small_settings()) if name == "small" else preset(name)

    monkeypatch.setattr(networks.TokenizerConfig, "preset", staticmethod(with_small))
    names = staticmethod(lambda: [*known, "small"])
    monkeypatch.setattr(networks.TokenizerConfig, "presets", names)
    monkeypatch.setitem(ensemble.PRESETS, "toy", TOY_DISCRIMINATORS)


@pytest.fixture
def run():
    """Train in a folder to the end; returns the trainer and what it logged."""

    def train(folder, corpora, config=CONFIG, valid=None):
        lines = []
        valid = corpora if valid is None else valid
        trainer = CodecTrainer(config, corpora, valid, folder, report=lines.append)
        trainer.run()
        return trainer, lines

    return train


@pytest.fixture
def learner():
    """A learner that has entered its first stage."""

    def make(config=CONFIG):
        torch.manual_seed(config.seed)
        made = CodecLearner(config, build_codec_networks(config), Group(), torch.device("cpu"))
        made.enter(config.stages[0])
        return made

    return make


def some_batch(rows=2, seconds=0.32, seed=0, texts=None, samples=None):
    """Noise, all of it heard."""
    draw = torch.Generator().manual_seed(seed)
    total = samples or round(seconds * 24_000)
    return Batch(
        audio=0.1 * torch.randn(rows, 1, total, generator=draw),
        lengths=torch.full((rows,), total),
        band_edges=torch.full((rows,), float("inf")),
        texts=tuple(texts or [None] * rows),
        tasks=("asr",) * rows,
    )


def weights(module):
    """A copy of all parameters."""
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def changed(module, before):
    """The names of the parameters that are no longer what they were, to the bit."""
    return {n for n, p in module.named_parameters() if not torch.equal(p, before[n])}


def same(one, two):
    """Whether nested states are equal to the bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    return one == two

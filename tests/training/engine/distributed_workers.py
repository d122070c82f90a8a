"""What two processes are asked to do in test_distributed.py.

Everything here can be imported by a new process; nothing touches files but in a given folder.
"""

import os
import signal
import weakref
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.parallel import DistributedDataParallel

from catok.tokenizer.config import TokenizerConfig
from catok.training.codec import trainer as loop
from catok.training.codec.codebooks.revival import RevivalConfig
from catok.training.codec.data import Batch, DataConfig
from catok.training.codec.discriminators.ensemble import PRESETS, DiscriminatorConfig
from catok.training.codec.learner import CodecLearner
from catok.training.codec.losses.mel import MelLossConfig
from catok.training.codec.semantic.semantic_config import SemanticConfig
from catok.training.codec.train_config import (
    CodecTrainConfig,
    GanConfig,
    TrainStage,
)
from catok.training.engine import distributed
from catok.training.engine.distributed import Group
from catok.training.engine.run_config import OptimizerConfig, ParameterGroup
from tests.conftest import small_settings

REAL_SOURCE = loop.open_source

CODEBOOKS = ParameterGroup(r"codebook\.weight$", lr_scale=4.0)
# everything at once that could differ between one process and two
CONFIG = CodecTrainConfig(
    stages=(TrainStage(10), TrainStage(6, adversarial=True), TrainStage(4, freeze=("encoder",))),
    architecture="small",
    data=DataConfig(crop_seconds=0.32, batch_size=8),
    optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=4, groups=(CODEBOOKS,)),
    mel=MelLossConfig(windows=(64, 256, 512), mel_bins=(10, 20, 40), scales_per_step=1),
    weights={"waveform": 1.0},
    gan=GanConfig("mini", crop_seconds=0.16),
    semantic=SemanticConfig.preset("mini"),
    revival=RevivalConfig(after=2),
    ema=0.9,
    accumulate=2,
    log_every=1,
    validate_every=10,
)
SHORT = replace(
    CONFIG,
    stages=(TrainStage(2), TrainStage(2, adversarial=True), TrainStage(2, freeze=("encoder",))),
    validate_every=6,
)
FROZEN = replace(SHORT, stages=(TrainStage(4, freeze=("encoder", "quantizer")),), semantic=None)
ALONE = TrainStage(4, adversarial=True, freeze=("encoder", "quantizer", "decoder"))
JUDGED = replace(SHORT, stages=(ALONE,), semantic=None)
STAGES = (TrainStage(1), TrainStage(1, adversarial=True), TrainStage(1, freeze=("decoder",)))
PLAIN = replace(CONFIG, semantic=None, stages=(TrainStage(6),), accumulate=1)
MINI = DiscriminatorConfig(
    periods=(2, 3), fft_sizes=(256,), period_channels=(4, 8), band_channels=4
)


class Rows:
    """Batches that are this rank's rows of batches for all; step 3 has text on the first half only,
    step 4 none.
    """

    def __init__(self, rows: int, seed: int, rank: int, world: int) -> None:
        self.rows, self.seed, self.rank, self.world = rows, seed, rank, world
        self.hours: dict[str, float] = {}

    def batch(self, step: int) -> Batch:
        draw = torch.Generator().manual_seed(1000 * self.seed + step)
        count, samples = self.rows * self.world, 7680
        time = torch.arange(samples) / 24_000
        pitch = 100 + 900 * torch.rand(count, 1, 1, generator=draw)
        audio = 0.3 * torch.sin(2 * torch.pi * pitch * time)
        audio = audio + 0.05 * torch.randn(count, 1, samples, generator=draw)
        lengths = torch.randint(2000, samples + 1, (count,), generator=draw)
        lengths[0] = samples
        audio = audio * (torch.arange(samples) < lengths[:, None, None])
        edges = torch.tensor([4000.0, 12000.0, float("inf"), 8000.0] * count)[:count]
        texts = [None if row % 3 == 1 else "word " * row for row in range(count)]
        if step == 3:
            texts[count // 2 :] = [None] * (count - count // 2)
        if step == 4:
            texts = [None] * count
        own = slice(self.rank * self.rows, (self.rank + 1) * self.rows)
        return Batch(audio[own], lengths[own], edges[own], tuple(texts[own]), ("asr",) * self.rows)

    def requests(self, step):
        return step

    read = batch


def prepare() -> None:
    """Small presets and made-up rows, in whatever process this is."""
    TokenizerConfig.preset = staticmethod(lambda name: TokenizerConfig.from_dict(small_settings()))
    TokenizerConfig.presets = staticmethod(lambda: ["small"])
    PRESETS["mini"] = MINI
    loop.open_source = lambda config, corpora, *, seed, rank, world, **_: Rows(
        config.batch_size, seed, rank, world
    )


def trainer(group: Group, folder: Path, config: CodecTrainConfig, report=lambda line: None):
    """A trainer for this process's share of `config.data.batch_size` rows."""
    share = replace(config.data, batch_size=config.data.batch_size // group.world_size)
    return loop.CodecTrainer(
        replace(config, data=share), [], [("valid", None)], folder, group=group, report=report
    )


def outcome(learner: CodecLearner, lines: list) -> dict:
    """Of a run: its log, its weights put together, its codebooks and their use."""

    def whole(module):
        return {
            n: distributed.full_tensor(p.detach()).clone() for n, p in module.named_parameters()
        }

    return {
        "lines": lines,
        "weights": whole(learner.generator),
        "discriminators": {} if learner.discriminators is None else whole(learner.discriminators),
        "average": {}
        if learner.ema is None
        else {n: distributed.full_tensor(p).clone() for n, p in learner.ema.average.items()},
        "idle": learner.usage.idle.clone(),
        "counts": learner.usage.counts.clone(),
    }


def train(group: Group, folder: Path, config: CodecTrainConfig) -> dict:
    """A run, from its start or from where it was left, to its end."""
    lines: list = []
    run = trainer(group, folder, config, lines.append)
    run.run()
    return outcome(run.learner, lines)


def train_in_parts(group: Group, folder: Path, config: CodecTrainConfig, until: int) -> dict:
    """A run that is given up after `until` steps, its trainer thrown away, and taken up again."""
    first = trainer(group, folder, config)
    for batches in first.batches():
        first.train_step(batches)
        if first.step == until:
            break
    first.save()
    # weights that must not survive: what is restored has to come from the folder
    first.train_step(batches)
    return train(group, folder, config)


def stop_by_signal(group: Group, folder: Path, config: CodecTrainConfig) -> dict:
    """The last rank gets a SIGTERM in its third step."""
    run = trainer(group, folder, config)
    step, save, saves = run.train_step, run.save, []

    def signalled(batches):
        if run.step == 2 and group.rank == group.world_size - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(batches)

    def counted():
        saves.append(run.step)
        save()

    run.train_step, run.save = signalled, counted
    run.run()
    return {"step": run.step, "saves": saves}


def nan_on_one_rank(group: Group, folder: Path, config: CodecTrainConfig) -> dict:
    """The last rank hears NaN in its third step, the others do not."""
    lines: list = []
    run = trainer(group, folder, config, lines.append)
    step, kept = run.train_step, {}

    def spoiled(batches):
        if run.step == 3:
            kept["after"] = outcome(run.learner, [])["weights"]
        if run.step == 2:
            kept["before"] = outcome(run.learner, [])["weights"]
            if group.rank == group.world_size - 1:
                batches = [replace(b, audio=b.audio * float("nan")) for b in batches]
        return step(batches)

    run.train_step = spoiled
    run.run()
    return outcome(run.learner, lines) | kept


def gather_unequal(group: Group) -> torch.Tensor:
    """Rank r has r + 1 rows of r."""
    return group.gather(torch.full((group.rank + 1, 2), group.rank))


def wrappers(group: Group, folder: Path, config: CodecTrainConfig) -> list[int]:
    """Per step, how many DDP wrappers are alive: those of earlier stages would still have hooks."""
    run = trainer(group, folder, config)
    step, known, alive = run.train_step, weakref.WeakSet(), []

    def counted(batches):
        result = step(batches)
        wrapped = (run.learner.wrapped, run.learner.gan._wrapped)
        known.update(m for m in wrapped if isinstance(m, DistributedDataParallel))
        alive.append(len(known))
        return result

    run.train_step = counted
    run.run()
    return alive


def unmatched(group: Group, folder: Path, config: CodecTrainConfig) -> str:
    """What is said when a recipe cannot go on with the run in `folder`."""
    try:
        trainer(group, folder, config)
    except ValueError as error:
        return str(error)
    return ""


def command(group: Group, arguments: list[str]) -> int:
    """`catok ...` with real data; the processes stay together afterwards."""
    from catok.cli import main

    loop.open_source, distributed.shutdown = REAL_SOURCE, lambda group: None
    try:
        return main(arguments)
    finally:
        prepare()

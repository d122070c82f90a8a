"""A run from its first step to its last: stages, logging, validation, saving and resuming."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from catok.io.devices import as_device
from catok.training.codec.config import TrainConfig
from catok.training.codec.data import (
    Batch,
    BatchSource,
    Corpora,
    check_text,
    open_source,
    prefetched,
)
from catok.training.codec.init_from_data import initialise_from_audio
from catok.training.codec.learner import Learner
from catok.training.codec.networks import Networks, build_networks
from catok.training.codec.runstate import RunState
from catok.training.codec.validation import Validator
from catok.training.engine.distributed import Group
from catok.training.engine.guards import BadStepGuard
from catok.training.engine.logging import RunLog
from catok.training.engine.saving import Saving, is_due
from catok.training.engine.signals import StopOnRequest
from catok.training.engine.throughput import Pace

FIRST_CROPS = 24  # batches that a new codec's first weights are taken from,
FIRST_SECONDS = 400  # of no more audio than this, or large batches would not fit into memory


class Trainer:
    """Trains a tokenizer in `folder`: log.jsonl, last.pt, model/ and, after NaNs, bad/.

    `train` and `valid`: corpora as `open_source` takes them. `report` is called with every log
    line, on the first process of `group` only. If the folder holds the state of a run, that run
    goes on. Raises ValueError on bad configurations, data and folders.
    """

    def __init__(
        self,
        config: TrainConfig,
        train: Corpora,
        valid: Corpora,
        folder: str | Path,
        *,
        device: str | torch.device = "cpu",
        group: Group | None = None,
        report: Callable[[dict[str, Any]], None] = lambda line: None,
    ) -> None:
        self.config, self.train, self.report = config, train, report
        self.folder, self.group = Path(folder), group or Group()
        if config.semantic is not None and config.weights.semantic:
            check_text(train)
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        networks = build_networks(config)
        self.codec = networks.codec
        self.state = RunState(self.folder, config, self.group)
        saved = self.state.load()
        if networks.is_new and config.initialise != "random" and saved is None:
            self._initialise(networks)
        self.learner = Learner(config, networks, self.group, as_device(device))
        self.guard = BadStepGuard(self.folder, config.max_bad_steps, self.group.rank)
        self.step, self._stage = 0, -1
        self._enter_stage()
        if saved is not None:
            self.step = self.state.restore(self.learner, saved)
            self._enter_stage()
        self.validator = (
            Validator(self.learner, self._open(valid, config.data.batch_size)) if valid else None
        )

    def run(self) -> None:
        """Train to the end of the last stage, or until SIGTERM or Ctrl-C; either way save."""
        config = self.config
        log = RunLog(self.folder, self.step, config.tensorboard, self.report, self.group.first)
        pace = Pace(self.group.world, self.codec.sample_rate)
        saving = Saving(self.save, self.guard, config.save_minutes, self.group, self.learner.device)
        if self.step >= config.steps:  # or else a kill between state and model would last
            self.save()
        with StopOnRequest() as stop, closing(log):
            if self.step < config.steps:
                log.write({"step": self.step} | self._plan())
            if self.state.changed:
                log.write({"step": self.step, "settings_changed": self.state.changed})
            for batches in pace.timed(self.batches()):
                numbers = self.train_step(batches)
                pace.heard(batches)
                for lost in (line for batch in batches for line in batch.skipped):
                    log.write({"step": self.step, "skipped": lost})
                if is_due(self.step, config.log_every, config.steps) or "bad" in numbers:
                    use = {"perplexity": self.learner.usage.rounded_perplexity()}
                    log.write({"step": self.step} | numbers | pace.summary() | use)
                if self.validator and is_due(self.step, config.validate_every, config.steps):
                    log.write({"step": self.step} | self.validator.measure())
                    examples, counts = self.validator.examples, self.learner.usage.counts
                    log.show(self.step, examples, self.codec.sample_rate, counts)
                    pace.restart()
                trial = partial(self.learner.is_sound, batches, self.step)
                keep = config.keep_every and self.step % config.keep_every == 0
                if keep and saving.is_sound(trial):
                    self.state.publish(self.learner, self.folder / f"model-{self.step}")
                if saving.after_step(self.step, self.step == config.steps, stop.asked, trial):
                    break
        if self.step >= config.steps:
            self.state.publish_companions(self.learner)

    def train_step(self, batches: list[Batch]) -> dict[str, float]:
        """Learn from the micro-batches of the current step; returns what there is to log of it."""
        self._enter_stage()
        index, step_of_stage = self.config.stage_at(self.step)
        numbers = self.learner.step(batches, self.step, step_of_stage)
        if "bad" in numbers:
            self.guard.bad(self.step, batches, numbers)
        else:
            self.guard.good()
        self.step += 1
        return {"stage": index + 1} | {name: float(f"{x:.6g}") for name, x in numbers.items()}

    def batches(self) -> Iterator[list[Batch]]:
        """The micro-batches of every step from the current one to the last."""
        count = self.config.accumulate
        while self.step < self.config.steps:
            self._enter_stage()
            index, done = self.config.stage_at(self.step)
            first = self.step * count
            last = first + (self.config.stages[index].steps - done) * count
            stream = prefetched(self._source, first, last, self.config.data.workers)
            while group := [batch for _, batch in zip(range(count), stream, strict=False)]:
                yield group

    def save(self) -> None:
        """Write the run's state and the model's folder."""
        self.state.save(self.learner, self.step)
        self.state.publish(self.learner, self.folder / "model")

    def _plan(self) -> dict[str, Any]:
        """What there is to learn from and how long, for the log."""
        hours = {domain: round(hours, 3) for domain, hours in self._source.hours.items()}
        return {
            "steps": self.config.steps,
            "hours": hours,  # empty of streams
            "parameters": sum(p.numel() for p in self.codec.parameters()),
            "log_every": self.config.log_every,
            "validate_every": self.config.validate_every if self.validator else None,
            "save_minutes": self.config.save_minutes,
        }

    def _enter_stage(self) -> None:
        index, _ = self.config.stage_at(self.step)
        if index != self._stage:
            self._stage = index
            stage = self.config.stages[index]
            self.learner.enter(stage)
            self._source = self._open(self.train, stage.batch_size or self.config.data.batch_size)

    def _open(self, corpora: Corpora, batch_size: int, seed: int | None = None) -> BatchSource:
        return open_source(
            replace(self.config.data, batch_size=batch_size),
            corpora,
            sample_rate=self.codec.sample_rate,
            channels=self.codec.channels,
            frame_size=self.codec.frame_size,
            seed=self.config.seed if seed is None else seed,
            rank=self.group.rank,
            world=self.group.world,
        )

    def _initialise(self, networks: Networks) -> None:
        """Begin a new codec on the training audio of all processes."""
        source = self._open(self.train, self.config.data.batch_size, self.config.seed + 1)
        draw = torch.Generator().manual_seed(self.config.seed)
        crops, seconds = [], 0.0
        for step in range(FIRST_CROPS):
            audio = source.batch(step).audio
            length = self.group.least(audio.shape[2], audio.device)
            crops.append(self.group.gather(audio[..., :length]))
            seconds += crops[-1].shape[0] * crops[-1].shape[2] / self.codec.sample_rate
            if seconds > FIRST_SECONDS:
                break
        shortest = min(crop.shape[2] for crop in crops)
        initialise_from_audio(
            networks.codec,
            torch.cat([crop[..., :shortest] for crop in crops]),
            draw,
            principal=self.config.initialise == "principal",
        )

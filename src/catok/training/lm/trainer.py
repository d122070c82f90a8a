"""A run from its first step to its last: logging, validation, saving and resuming."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import torch

from catok.io.devices import as_device
from catok.training.engine.checkpoint import load_run, save_run
from catok.training.engine.distributed import Group
from catok.training.engine.guards import BadStepGuard
from catok.training.engine.logging import RunLog
from catok.training.engine.saved import changed_settings, going_on, saved_step
from catok.training.engine.saving import Saving, is_due
from catok.training.engine.signals import StopOnRequest
from catok.training.lm.batches import TokenBatch, ahead, training_source
from catok.training.lm.config import LMTrainConfig
from catok.training.lm.corpus import Corpus
from catok.training.lm.learner import Learner
from catok.training.lm.objective import Objective
from catok.training.lm.pace import Pace
from catok.training.lm.parts import Parts, publish
from catok.training.lm.validation import Validator

FORMAT = 1


class LMTrainer:
    """Trains the networks of `parts` in `folder`: log.jsonl, last.pt, model/ and bad/.

    `report` is called with every log line, on the first process of `group` only. If the folder
    holds the state of a run, that run goes on, with the losses that it would have had
    uninterrupted. Raises ValueError on states and data that do not fit.
    """

    def __init__(
        self,
        config: LMTrainConfig,
        parts: Parts,
        train: Corpus,
        valid: Corpus | None,
        folder: str | Path,
        *,
        device: str | torch.device = "cpu",
        group: Group | None = None,
        report: Callable[[dict[str, Any]], None] = lambda line: None,
    ) -> None:
        self.config, self.parts, self.report = config, parts, report
        self.corpus, self.valid = train, valid
        self.folder, self.group = Path(folder), group or Group()
        self.folder.mkdir(parents=True, exist_ok=True)
        objective = Objective(
            parts.model,
            parts.ctc,
            channel_weights=config.channel_weights,
            ctc_weight=config.ctc.weight,
        )
        self.learner = Learner(config, objective, self.group, as_device(device))
        self.source = training_source(
            config, train, parts.prompt_builder, self.group.rank, self.group.world
        )
        self.validator = Validator(self.learner, valid, self.source) if valid else None
        self.guard = BadStepGuard(self.folder, config.max_bad_steps, self.group.rank)
        self.step, self.changed = 0, dict[str, list[Any]]()
        saved = load_run(self.folder)
        if saved is not None:
            self._restore(saved)

    def run(self) -> None:
        """Train to the last step, or until SIGTERM or Ctrl-C; either way save."""
        config = self.config
        log = RunLog(self.folder, self.step, config.tensorboard, self.report, self.group.first)
        pace = Pace(self.group.world, self.corpus.space.frame_rate)
        saving = Saving(self.save, self.guard, config.save_minutes, self.group, self.learner.device)
        if self.step >= config.steps:  # or else a kill between state and model would last
            self.save()
        with StopOnRequest() as stop, closing(log):
            if self.step < config.steps:
                log.write({"step": self.step} | self._data())
            if self.changed:
                log.write({"step": self.step, "settings_changed": self.changed})
            for batches in pace.timed(self.batches()):
                numbers = self.train_step(batches)
                pace.read(batches)
                for lost in (line for batch in batches for line in batch.skipped):
                    log.write({"step": self.step, "skipped": lost})
                if "bad" in numbers:
                    log.write({"step": self.step} | numbers | pace.summary())
                elif is_due(self.step, config.log_every, config.steps):
                    tally = self.learner.tally.summary(self.group)
                    self.learner.tally.reset()
                    log.write({"step": self.step} | tally | numbers | pace.summary())
                if self.validator and is_due(self.step, config.validate_every, config.steps):
                    log.write({"step": self.step} | self.validator.measure())
                    pace.restart()
                trial = partial(self.learner.is_sound, batches, self.step)
                keep = config.keep_every and self.step % config.keep_every == 0
                if keep and saving.is_sound(trial):
                    self.publish(self.folder / f"model-{self.step}")
                if saving.after_step(self.step, self.step == config.steps, stop.asked, trial):
                    break

    def train_step(self, batches: list[TokenBatch]) -> dict[str, float]:
        """Learn from the micro-batches of the current step; returns what there is to log of it."""
        numbers = self.learner.step(batches, self.step)
        if "bad" in numbers:
            self.guard.bad(self.step, batches, numbers)
        else:
            self.guard.good()
        self.step += 1
        return {name: float(f"{value:.6g}") for name, value in numbers.items()}

    def batches(self) -> Iterator[list[TokenBatch]]:
        """The micro-batches of every step from the current one to the last."""
        return ahead(self.source, self.step, self.config.steps, self.config.data.workers)

    def save(self) -> None:
        """Write the run's state and the model's folder."""
        state = self.learner.state_dict() | {
            "format": FORMAT,
            "kind": "lm",
            "step": self.step,
            "config": self.config.to_dict(),
            "weight_hash": self.parts.space.weight_hash,
        }
        if self.group.first:
            save_run(self.folder, state)
        self.publish(self.folder / "model")

    def publish(self, folder: Path) -> None:
        """Write the model; with a running average, the average."""
        with self.learner.averaged():
            if self.group.first:
                publish(self.parts, self.config, self.corpus.languages, folder)
        self.group.wait()

    def _restore(self, saved: dict[str, Any]) -> None:
        if saved.get("kind") != "lm" or saved.get("format") != FORMAT:
            raise ValueError(
                f"{self.folder} holds another kind of run, or one of another catok: use a new "
                "folder, or go on from its model/"
            )
        self.changed = changed_settings(saved.get("config"), self.config.to_dict())
        with going_on(self.folder, self.changed):
            if saved.get("weight_hash") != self.parts.space.weight_hash:
                raise ValueError(
                    f"it speaks codes of another audio tokenizer (weights "
                    f"{saved.get('weight_hash')}, the recipe's has {self.parts.space.weight_hash})"
                )
            step = saved_step(saved)
            self.learner.load_state_dict(saved)
        self.step = step

    def _data(self) -> dict[str, Any]:
        """What there is to learn from and how long, for the log."""
        found: dict[str, Any] = {
            "steps": self.config.steps,
            "utterances": len(self.corpus),
            "hours": round(self.corpus.hours, 3),
            "parameters": sum(p.numel() for p in self.learner.objective.parameters()),
        }
        found |= {
            "log_every": self.config.log_every,
            "validate_every": self.config.validate_every if self.validator else None,
            "save_minutes": self.config.save_minutes,
        }
        left_out = dict(sorted(self.corpus.skipped.items()))
        return found | ({"left_out": left_out} if left_out else {})

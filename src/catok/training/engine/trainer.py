"""A run from its first step to its last: data, steps, logs, validation, saving and resuming."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch

from catok.io.devices import as_device
from catok.training.engine.checkpoint import Kind, RunCheckpoint
from catok.training.engine.distributed import Group
from catok.training.engine.guards import NonFiniteGuard
from catok.training.engine.learner import BaseLearner, StepResult
from catok.training.engine.logging import RunLog
from catok.training.engine.prefetch import prefetch
from catok.training.engine.run_config import RunConfig
from catok.training.engine.save_schedule import GracefulStop, SaveSchedule, is_due
from catok.training.engine.throughput import Processed, Throughput


class MicroBatch(Protocol):
    """A micro-batch; `skipped`: "path: reason" of each recording that could not be read."""

    @property
    def skipped(self) -> tuple[str, ...]: ...


class BaseValidator(Protocol):
    """Measures on recordings that a run does not train on."""

    def measure(self) -> dict[str, float]: ...


BatchT = TypeVar("BatchT", bound=MicroBatch)
LearnerT = TypeVar("LearnerT", bound=BaseLearner)
Report = Callable[[dict[str, Any]], None]


class BaseTrainer(ABC, Generic[BatchT, LearnerT]):
    """Trains in `folder`: log.jsonl, last.pt, model/ and, after NaNs, bad/.

    `steps`: of the whole run. `num_workers`: threads that read ahead. `report` is called with every
    log line, on the main process of `group` only. If the folder holds the state of a run, that run
    goes on, with the losses that it would have had uninterrupted. Raises ValueError on states that
    do not fit. Subclasses set what the abstract methods need before they call this constructor.
    """

    kind: ClassVar[Kind]
    validator: BaseValidator | None = None

    def __init__(
        self,
        config: RunConfig,
        steps: int,
        folder: str | Path,
        *,
        num_workers: int = 0,
        device: str | torch.device = "cpu",
        group: Group | None = None,
        report: Report = lambda line: None,
        facts: dict[str, tuple[str, str]] | None = None,
    ) -> None:
        self.run_config, self.steps, self.report = config, steps, report
        self.folder, self.group = Path(folder), group or Group()
        self.num_workers, self.device = num_workers, as_device(device)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.checkpoint = RunCheckpoint(self.folder, self.kind, config, self.group, facts)
        self.guard = NonFiniteGuard(self.folder, config.max_bad_steps, self.group.rank)
        self.step = 0
        saved = self.checkpoint.load()
        self.learner = self.build_learner(is_resumed=saved is not None)
        self.enter_stage()
        if saved is not None:
            self.step = self.checkpoint.restore(self.learner, saved)
            self.enter_stage()
        self.validator = self.build_validator()

    # what a subclass has to say

    @abstractmethod
    def build_learner(self, is_resumed: bool) -> LearnerT:
        """The networks and their step; `is_resumed`: their weights will be replaced."""

    @abstractmethod
    def requests(self, step: int) -> list[Callable[[], BatchT]]:
        """Functions that read the micro-batches of a step; called from other threads."""

    @abstractmethod
    def publish(self, folder: Path) -> None:
        """Write the model as others load it; with a moving average, the average."""

    @abstractmethod
    def throughput_of(self, batches: list[BatchT]) -> Processed:
        """Amounts and shares that a step processed, as `Throughput.update` takes them."""

    @abstractmethod
    def describe_data(self) -> dict[str, Any]:
        """What there is to learn from, and how many parameters learn, for the log."""

    # what a subclass may add

    def build_validator(self) -> BaseValidator | None:
        """What measures on other recordings, if there are any."""
        return None

    def enter_stage(self) -> None:
        """Prepare learner and data for the current step, where the run has stages."""

    def stage_end(self) -> int:
        """The step before which data may be read ahead."""
        return self.steps

    def log_metrics(self, result: StepResult) -> dict[str, Any]:
        """The log line of a step, without its speed."""
        return dict(result.metrics)

    def after_validation(self, log: RunLog) -> None:
        """More to log of a validation."""

    def finish(self) -> None:
        """After the last step."""

    # the run

    def run(self) -> None:
        """Train to the last step, or until SIGTERM or Ctrl-C; either way save."""
        config = self.run_config
        log = RunLog(self.folder, self.step, config.tensorboard, self.report, self.group.is_main)
        throughput = Throughput(self.group.world_size)
        schedule = SaveSchedule(self.save, self.guard, config.save_minutes, self.group, self.device)
        skipped_files = 0
        if self.step >= self.steps:  # or else a kill between state and model would last
            self.save()
        with GracefulStop() as stop, closing(log):
            if self.step < self.steps:
                log.write({"step": self.step} | self._plan())
            if self.checkpoint.changed:
                log.write({"step": self.step, "settings_changed": self.checkpoint.changed})
            for batches in throughput.timed(self.batches()):
                # 1. learn
                result = self.train_step(batches)
                throughput.update(*self.throughput_of(batches))
                # 2. log
                for lost in (line for batch in batches for line in batch.skipped):
                    skipped_files += 1
                    log.write({"step": self.step, "skipped": lost})
                if not result.finite or is_due(self.step, config.log_every, self.steps):
                    log.write({"step": self.step} | self._line(result, throughput, skipped_files))
                # 3. validate
                if self.validator and is_due(self.step, config.validate_every, self.steps):
                    log.write({"step": self.step} | self.validator.measure())
                    self.after_validation(log)
                    throughput.restart()
                # 4. save
                trial = partial(self.learner.is_finite, batches, self.step)
                keep = config.keep_every and self.step % config.keep_every == 0
                if keep and schedule.is_sound(trial):
                    self.publish(self.folder / f"model-{self.step}")
                is_last = self.step == self.steps
                if schedule.after_step(self.step, is_last, stop.requested, trial):
                    break
        if self.step >= self.steps:
            self.finish()

    def train_step(self, batches: list[BatchT]) -> StepResult:
        """Learn from the micro-batches of the current step."""
        self.enter_stage()
        result = self.learner.step(batches, self.step)
        if result.finite:
            self.guard.reset()
        else:
            self.guard.skipped(self.step, batches, result.metrics)
        self.step += 1
        return result

    def batches(self) -> Iterator[list[BatchT]]:
        """The micro-batches of every step from the current one to the last."""
        while self.step < self.steps:
            self.enter_stage()
            steps = range(self.step, self.stage_end())
            requests = (request for step in steps for request in self.requests(step))
            stream = prefetch(requests, self.num_workers)
            while batches := list(islice(stream, self.run_config.accumulate)):
                yield batches

    def save(self) -> None:
        """Write the run's state and the model's folder."""
        self.checkpoint.save(self.learner, self.step)
        self.publish(self.folder / "model")

    def _plan(self) -> dict[str, Any]:
        """How long the run is, for the log."""
        return {
            "steps": self.steps,
            "log_every": self.run_config.log_every,
            "validate_every": self.run_config.validate_every if self.validator else None,
            "save_minutes": self.run_config.save_minutes,
        } | self.describe_data()

    def _line(
        self, result: StepResult, throughput: Throughput, skipped_files: int
    ) -> dict[str, Any]:
        """A step's line in the log."""
        skipped = {} if result.finite else {"finite": False}
        line = {name: _rounded(value) for name, value in self.log_metrics(result).items()}
        return skipped | line | throughput.summary() | {"skipped_files": skipped_files}


def _rounded(value: Any) -> Any:
    """Six digits of a float."""
    return float(f"{value:.6g}") if isinstance(value, float) else value

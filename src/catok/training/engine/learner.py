"""One step of training: gradients of all micro-batches, then one update of the weights."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from catok.training.engine import distributed
from catok.training.engine.distributed import Group
from catok.training.engine.ema import ExponentialMovingAverage
from catok.training.engine.optim import (
    allocate_optimizer_state,
    build_optimizer,
    clip_gradients,
    load_optimizer_state,
    optimizer_state,
    set_learning_rate,
)
from catok.training.engine.run_config import OptimizerConfig, RunConfig
from catok.training.engine.saved import check_saved

BatchT = TypeVar("BatchT")
ContextT = TypeVar("ContextT")


@dataclass(frozen=True)
class StepResult:
    """What a step gives: `metrics` by name, alike on all processes, and whether they were all
    `finite`; where not, the weights are as they were.
    """

    metrics: dict[str, float]
    finite: bool = True


class BaseLearner(ABC, Generic[BatchT, ContextT]):
    """Networks on `device`, their optimizer, and a step of training them.

    `module` has all that `optimizer` updates, `averaged` (all of `module`, or a part) what the
    moving average is of. Every process of `group` calls everything together. Subclasses say what
    the losses are; what they change at `module` before it is wrapped goes into `prepare`.
    """

    def __init__(
        self,
        config: RunConfig,
        optimizer: OptimizerConfig,
        module: nn.Module,
        group: Group,
        device: torch.device,
        *,
        averaged: nn.Module | None = None,
    ) -> None:
        self.run_config, self.optimizer_config = config, optimizer
        self.group, self.device = group, device
        self.module = module.to(device).train()
        self.wrapped: nn.Module = module  # what exchanges gradients: DDP, FSDP, or nothing does
        self.prepare()
        distributed.broadcast(self.module, group)
        if self.sharded:
            self.apply_fsdp()
        self.optimizer = build_optimizer(module.named_parameters(), optimizer, self.decays)
        self._averaged = module if averaged is None else averaged
        self.ema = ExponentialMovingAverage(self._averaged, config.ema) if config.ema else None

    # what a subclass has to say

    @abstractmethod
    def context(self, batches: list[BatchT], step: int, trial: bool = False) -> ContextT:
        """What all micro-batches of a step share, such as random choices.

        With `trial` the step only finds out whether it would be finite.
        """

    @abstractmethod
    def losses(
        self, batch: BatchT, index: int, context: ContextT
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """The loss of micro-batch `index` to minimize (None: nothing learns), and what to log."""

    @abstractmethod
    def learning_rate(self, step: int) -> float:
        """The scheduled learning rate."""

    @abstractmethod
    def decays(self, name: str, parameter: nn.Parameter) -> bool:
        """Whether weight decay is for a parameter."""

    @abstractmethod
    def apply_fsdp(self) -> None:
        """Shard `module`, or parts of it, and let `wrapped` be what is sharded."""

    # what a subclass may add

    def prepare(self) -> None:
        """Change `module` before it is wrapped."""

    def to_device(self, batch: BatchT) -> BatchT:
        """The batch on the learner's device."""
        return batch

    def sync_gradients(self) -> None:
        """Average gradients that no wrapper averages."""

    def clip(self) -> dict[str, Tensor]:
        """Bound the norms of gradients; returns them by name."""
        largest = self.optimizer_config.max_grad_norm
        return {"grad_norm": clip_gradients(self.module.parameters(), largest)}

    def more_gradients(self, context: ContextT) -> dict[str, Tensor]:
        """Gradients of networks outside of `module`; returns what to log."""
        return {}

    def after_update(self, context: ContextT, learning_rate: float) -> dict[str, float]:
        """What follows the optimizer's update; returns what to log."""
        return {}

    def extra_state(self) -> dict[str, Any]:
        """What a checkpoint keeps besides `module`, optimizer and moving average."""
        return {}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Take back `extra_state`. Raises ValueError where it does not fit."""

    # the step

    def step(self, batches: list[BatchT], step: int) -> StepResult:
        """Learn from the micro-batches of one step.

        Where a loss or the norm of a gradient is not finite, on any process, the weights stay as
        they are.
        """
        batches = [self.to_device(batch) for batch in batches]
        context = self.context(batches, step)
        metrics = self._gradients(batches, context)
        if not all(map(math.isfinite, metrics.values())):
            return StepResult(metrics, finite=False)
        rate = self.learning_rate(step)
        set_learning_rate(self.optimizer, rate)
        self.optimizer.step()
        more = self.after_update(context, rate)
        if self.ema is not None:
            self.ema.update(self._averaged)
        return StepResult(metrics | {"learning_rate": rate} | more)

    def is_finite(self, batches: list[BatchT], step: int) -> bool:
        """Whether a step on these micro-batches would be finite; nothing is learnt from them."""
        batches = [self.to_device(batch) for batch in batches]
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            context = self.context(batches, step, trial=True)
            metrics = self._gradients(batches, context)
        return all(map(math.isfinite, metrics.values()))

    def _gradients(self, batches: list[BatchT], context: ContextT) -> dict[str, float]:
        """Clipped gradients of all networks; losses and norms by name, alike on all processes."""
        self.optimizer.zero_grad(set_to_none=True)
        metrics: dict[str, Tensor] = {}
        share = 1 / len(batches)
        for index, batch in enumerate(batches):
            last = index == len(batches) - 1
            with distributed.sync_gradients_if(self.wrapped, last):
                loss, named = self.losses(batch, index, context)
                if loss is not None:
                    (loss / len(batches)).backward()
            for name, value in named.items():
                metrics[name] = metrics.get(name, 0.0) + share * value.detach()
        self.sync_gradients()
        metrics |= self.clip()
        metrics |= self.more_gradients(context)
        return self._all_reduce_metrics(metrics)

    def _all_reduce_metrics(self, metrics: dict[str, Tensor]) -> dict[str, float]:
        """The processes' mean of every number; NaN anywhere is NaN everywhere."""
        values = torch.stack([value.float().to(self.device) for value in metrics.values()])
        return dict(zip(metrics, self.group.mean(values).tolist(), strict=True))

    # how it runs

    @property
    def sharded(self) -> bool:
        """Whether the weights are spread over the processes."""
        return self.run_config.parallel == "fsdp" and self.group.world_size > 1

    def autocast(self) -> AbstractContextManager[Any]:
        """Within it forward passes are bfloat16, if the recipe wants that."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.run_config.autocast)

    def ema_weights(self) -> AbstractContextManager[None]:
        """Within it the module has its averaged weights, if there is a moving average."""
        return nullcontext() if self.ema is None else self.ema.applied(self._averaged)

    @contextmanager
    def eval_mode(self) -> Iterator[None]:
        """Within it the module has its averaged weights, if any, and is in evaluation mode."""
        self.module.eval()
        with self.ema_weights():
            yield
            distributed.reshard(self.wrapped)
        self.module.train()

    # state

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, besides its batches."""
        state: dict[str, Any] = {
            "model": self.module.state_dict(),
            "optimizer": optimizer_state(self.module, self.optimizer),
        } | self.extra_state()
        if self.ema is not None:
            state["ema"] = self.ema.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave. Raises ValueError where the networks differ."""
        current = self.state_dict()
        if missing := sorted(set(current) - set(state)):
            raise ValueError(f"it has no {missing}: its recipe was another")
        check_saved(state["model"], current["model"], "the network")
        self.module.load_state_dict(state["model"])
        load_optimizer_state(self.module, self.optimizer, state["optimizer"])
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])
        self.load_extra_state(state)

    def allocate_state(self, names: set[str]) -> None:
        """Allocate the optimizer's state for a sharded checkpoint of these `names`."""
        allocate_optimizer_state(self.module, self.optimizer, names, "optimizer")

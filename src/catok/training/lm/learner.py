"""One step of training a token language model."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from catok.lm.speech_config import Task
from catok.training.engine import distributed
from catok.training.engine.distributed import Group
from catok.training.engine.learner import BaseLearner
from catok.training.engine.optim import check_groups, scheduled_learning_rate
from catok.training.engine.saved import check_saved
from catok.training.lm.batches import TokenBatch
from catok.training.lm.loss_meter import LossMeter
from catok.training.lm.objective import BatchLoss, Objective
from catok.training.lm.sequence_dropout import draw_prefix
from catok.training.lm.train_config import LMTrainConfig


@dataclass
class LMStepContext:
    """What the micro-batches of a step share: how many codebooks are kept, on all processes.

    `outputs`, the losses of each task's batch, are filled in on the way.
    """

    num_quantizers: int
    outputs: list[tuple[Task, BatchLoss]] = field(default_factory=list)


class LMLearner(BaseLearner[TokenBatch, LMStepContext]):
    """An objective on `device`, taken step by step; every process of `group` calls everything."""

    module: Objective

    def __init__(
        self, config: LMTrainConfig, objective: Objective, group: Group, device: torch.device
    ) -> None:
        self.config = config
        self._tables = {
            f"{name}.weight"
            for name, module in objective.named_modules()
            if isinstance(module, nn.Embedding)
        }
        super().__init__(config, config.optimizer, objective, group, device)
        check_groups(config.optimizer, [name for name, _ in objective.named_parameters()])
        self.loss_meter = LossMeter(objective.model.config.channels, device)

    @property
    def objective(self) -> Objective:
        """Language model and CTC head, and their losses."""
        return self.module

    def prepare(self) -> None:
        """Checkpoint activations, where the recipe wants that."""
        if self.config.checkpoint_activations:
            self.module.model.backbone.checkpoint_layers()

    def apply_fsdp(self) -> None:
        """Shard the transformer along time, which every batch of every task runs.

        The rest stays whole: which tables and heads a process reaches depends on its tasks, and
        shards are only put together where all processes ask for them.
        """
        self.wrapped = self.module.model.backbone
        distributed.apply_fsdp(self.wrapped, self.group, self.device)

    def decays(self, name: str, parameter: nn.Parameter) -> bool:
        """Matrices decay, but for embeddings."""
        return parameter.dim() > 1 and name not in self._tables

    def learning_rate(self, step: int) -> float:
        """Over the whole run."""
        return scheduled_learning_rate(step, self.config.steps, self.config.optimizer)

    def context(self, batches: list[TokenBatch], step: int, trial: bool = False) -> LMStepContext:
        """All micro-batches and processes keep the same number of codebooks."""
        rng = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        n_vq = self.module.model.config.n_vq
        return LMStepContext(draw_prefix(self.config.sequence_dropout, n_vq, rng))

    def losses(
        self, batch: TokenBatch, index: int, context: LMStepContext
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """The batch's total; what it is made of is for the loss meter."""
        with self.forward_mode():
            loss = self.module(batch, context.num_quantizers)
        context.outputs.append((batch.task, loss))
        return loss.total, {"total": loss.total}

    def sync_gradients(self) -> None:
        """Of all that is not sharded."""
        whole = [p for p in self.module.parameters() if not isinstance(p, DTensor)]
        distributed.average_gradients(whole, self.group)

    def after_update(self, context: LMStepContext, learning_rate: float) -> dict[str, float]:
        """Only losses of finite steps are added up."""
        for task, loss in context.outputs:
            self.loss_meter.update(task, loss)
        return {"num_quantizers": float(context.num_quantizers)}

    @contextmanager
    def forward_mode(self) -> Iterator[None]:
        """Within it forward passes are bfloat16 if the recipe wants that.

        On CPUs attention is then the plain one, which takes a third of the time of PyTorch's fused
        one with its backward pass, at a few hundred rows.
        """
        plain = self.config.autocast and self.device.type == "cpu"
        with self.autocast(), sdpa_kernel(SDPBackend.MATH) if plain else nullcontext():
            yield

    def to_device(self, batch: TokenBatch) -> TokenBatch:
        """All of its tensors."""
        return batch.to(self.device)

    def extra_state(self) -> dict[str, Any]:
        """The sums of losses since the last line of the log, over all processes."""
        return {"loss_sums": self.group.sum(self.loss_meter.sums)}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Take back `extra_state`. Raises ValueError where it does not fit."""
        sums = {"sums": self.loss_meter.sums}
        check_saved({"sums": state["loss_sums"]}, sums, "the sums of losses")
        if self.group.is_main:  # what was saved is the sum over all processes
            self.loss_meter.sums.copy_(state["loss_sums"])

"""The networks of a run, their optimizer, and one step of training them."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from catok.lm.speech_config import Task
from catok.training.engine import distributed
from catok.training.engine.distributed import Group
from catok.training.engine.ema import RunningAverage
from catok.training.engine.gradients import share_gradients
from catok.training.engine.optim import (
    clip_gradients,
    load_optimizer_state,
    optimizer_state,
    set_rate,
)
from catok.training.engine.saved import check_saved
from catok.training.engine.schedule import warmup_cosine
from catok.training.lm.batches import TokenBatch
from catok.training.lm.config import LMTrainConfig, OptimizerConfig
from catok.training.lm.dropout import draw_prefix
from catok.training.lm.objective import Objective
from catok.training.lm.tally import Tally


class Learner:
    """An objective on `device`, taken step by step; every process of `group` calls everything."""

    def __init__(
        self, config: LMTrainConfig, objective: Objective, group: Group, device: torch.device
    ) -> None:
        self.config, self.group, self.device = config, group, device
        self.objective = objective.to(device).train()
        if config.checkpoint_activations:
            objective.model.backbone.checkpoint_layers()
        distributed.broadcast(objective, group)
        self.optimizer = build_optimizer(objective, config.optimizer)
        self.average = RunningAverage(objective, config.ema) if config.ema else None
        self.tally = Tally(objective.model.config.channels, device)

    def step(self, batches: list[TokenBatch], step: int) -> dict[str, float]:
        """Learn from the micro-batches of one step; returns what else there is to log of it.

        All micro-batches and processes keep the same number of codebooks. Where loss or gradient
        is not finite on any process, the weights stay as they are and the result has "bad".
        """
        numbers, losses = self._gradients(batches, step)
        if not all(map(math.isfinite, numbers.values())):
            return numbers | {"bad": 1.0}
        del numbers["total"]
        for task, loss in losses:
            self.tally.add(task, loss)
        settings = self.config.optimizer
        share = warmup_cosine(step, self.config.steps, settings.warmup_steps, settings.final_rate)
        rate = settings.learning_rate * share
        set_rate(self.optimizer, rate)
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.objective)
        return numbers | {"learning_rate": rate}

    def is_sound(self, batches: list[TokenBatch], step: int) -> bool:
        """Whether a step on these micro-batches would be finite; nothing is learnt from them."""
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            numbers, _ = self._gradients(batches, step)
        return all(map(math.isfinite, numbers.values()))

    def _gradients(
        self, batches: list[TokenBatch], step: int
    ) -> tuple[dict[str, float], list[tuple[Task, Any]]]:
        """Gradients of the objective; total, norm and depth by name, and each batch's losses."""
        depth = self.prefix(step)
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        losses = []
        for batch in batches:
            with self.arithmetic():
                loss = self.objective(batch.to(self.device), depth)
            (loss.total / len(batches)).backward()
            total += loss.total.detach() / len(batches)
            losses.append((batch.task, loss))
        share_gradients(self.objective, self.group)
        parameters = list(self.objective.parameters())
        norm = clip_gradients(parameters, self.config.optimizer.clip_norm)
        agreed = self.group.mean(torch.stack([total, norm.to(self.device)])).tolist()
        return dict(zip(("total", "grad_norm"), agreed, strict=True)) | {
            "num_quantizers": float(depth)
        }, losses

    def prefix(self, step: int) -> int:
        """How many codebooks a step keeps, on all processes."""
        draw = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        n_vq = self.objective.model.config.n_vq
        return draw_prefix(self.config.sequence_dropout, n_vq, draw)

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """Within it forward passes are bfloat16 if the recipe wants that.

        On CPUs attention is then the plain one, which takes a third of the time of PyTorch's fused
        one with its backward pass, at a few hundred rows.
        """
        autocast = self.config.autocast
        plain = autocast and self.device.type == "cpu"
        with (
            torch.autocast(self.device.type, torch.bfloat16, enabled=autocast),
            sdpa_kernel(SDPBackend.MATH) if plain else nullcontext(),
        ):
            yield

    def averaged(self) -> AbstractContextManager[None]:
        """Within it the networks have their averaged weights, if there is an average."""
        return nullcontext() if self.average is None else self.average.applied(self.objective)

    @contextmanager
    def measuring(self) -> Iterator[Objective]:
        """Within it the networks are averaged, and in evaluation mode."""
        self.objective.eval()
        with self.averaged():
            yield self.objective
        self.objective.train()

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step and the next line of the log depend on, besides batches."""
        state: dict[str, Any] = {
            "objective": self.objective.state_dict(),
            "optimizer": optimizer_state(self.objective, self.optimizer),
            "tally": self.group.sum(self.tally.sums),
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave. Raises ValueError where the networks differ."""
        own = self.state_dict()
        if missing := sorted(set(own) - set(state)):
            raise ValueError(f"it has no {missing}: its recipe was another")
        check_saved(state["objective"], own["objective"], "the network")
        check_saved({"sums": state["tally"]}, {"sums": self.tally.sums}, "the sums of losses")
        self.objective.load_state_dict(state["objective"])
        load_optimizer_state(self.objective, self.optimizer, state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        if self.group.first:  # what was saved is the sum over all processes
            self.tally.sums.copy_(state["tally"])


def build_optimizer(objective: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW; matrices decay, embeddings and vectors do not."""
    tables = {m.weight for m in objective.modules() if isinstance(m, nn.Embedding)}
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for parameter in objective.parameters():
        groups[parameter.dim() > 1 and parameter not in tables].append(parameter)
    return torch.optim.AdamW(
        [
            {"params": own, "weight_decay": config.weight_decay * decays, "rate": 1.0}
            for decays, own in groups.items()
            if own
        ],
        lr=config.learning_rate,
        betas=config.betas,
        fused=True,
    )

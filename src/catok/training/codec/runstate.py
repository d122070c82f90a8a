"""What a run leaves in its folder: the state to go on from, and the models to use."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from catok.tokenizer.checkpoint import JUDGES, SEMANTIC, save_folder
from catok.training.codec.config import TrainConfig
from catok.training.codec.learner import Learner
from catok.training.engine import checkpoint, sharded
from catok.training.engine.distributed import Group, collect
from catok.training.engine.saved import changed_settings, going_on, saved_step

FORMAT = 1


class RunState:
    """Saves and restores a run in `folder`, on the processes of `group`."""

    def __init__(self, folder: Path, config: TrainConfig, group: Group) -> None:
        self.folder, self.config, self.group = folder, config, group
        self.sharded = config.parallel == "fsdp" and group.world > 1
        self.changed: dict[str, list[Any]] = {}  # settings of the restored run: before, now

    def load(self) -> dict[str, Any] | Path | None:
        """The saved state or, of a sharded run, where it is; None where there is none.

        Raises ValueError on a damaged one, and where a run was saved the other way.
        """
        whole, parts = checkpoint.load_run(self.folder), sharded.find_sharded(self.folder)
        if (whole is not None and self.sharded) or (parts is not None and not self.sharded):
            raise ValueError(
                f"the run in {self.folder} was {'not ' if self.sharded else ''}sharded: go on with "
                'the same "parallel", under torchrun as then, or begin a new run from its model/'
            )
        return parts if self.sharded else whole

    def save(self, learner: Learner, step: int) -> None:
        """Write the state after `step` steps, in place of the older one."""
        state = learner.state_dict() | {
            "format": FORMAT,
            "step": step,
            "config": self.config.to_dict(),
        }
        if self.sharded:
            sharded.save_sharded(self.folder, state, self.group)
        elif self.group.first:
            checkpoint.save_run(self.folder, state)
        self.group.wait()

    def restore(self, learner: Learner, saved: dict[str, Any] | Path) -> int:
        """Put the saved state into the learner; returns the number of steps done.

        Raises ValueError where it belongs to other networks or another version.
        """
        if isinstance(saved, Path):
            learner.make_room(sharded.names_in_sharded(saved))
            state = learner.state_dict() | {"step": 0}
            sharded.load_sharded(saved, state, self.group)
            saved = state
        if saved.get("format", FORMAT) != FORMAT:
            raise ValueError(
                f"the run in {self.folder} was saved by another catok (format {saved['format']}): "
                "go on with that, or begin a new run from its model/"
            )
        self.changed = changed_settings(saved.get("config"), self.config.to_dict())
        with going_on(self.folder, self.changed):
            step = saved_step(saved)
            learner.load_state_dict(saved)
        return step

    def publish(self, learner: Learner, folder: Path) -> None:
        """Write the model as `from_pretrained` reads it; with a running average, the average."""
        with learner.averaged():
            tensors = whole_tensors(learner.codec)
        if self.group.first:
            save_folder(folder, learner.codec.config, tensors)
        self.group.wait()

    def publish_companions(self, learner: Learner) -> None:
        """Write discriminators and semantic head below model/, for whoever fine-tunes it."""
        if learner.judges is not None and self.group.first:
            learner.judges.save_pretrained(self.folder / "model" / JUDGES)
        if learner.semantic is not None:
            tensors = whole_tensors(learner.semantic)
            if self.group.first:
                learner.semantic.save_pretrained(self.folder / "model" / SEMANTIC, tensors)
        self.group.wait()


@torch.no_grad()
def whole_tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of a module's state on the CPU, shards put together; all processes must call it."""
    state = module.state_dict().items()
    return {name: collect(tensor).to("cpu", copy=True) for name, tensor in state}

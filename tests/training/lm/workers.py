"""What two processes are asked to do in test_distributed.py; a new process can import it."""

from pathlib import Path

from torch.distributed.tensor import DTensor

from catok.training.engine.distributed import Group, full_tensor
from catok.training.engine.save_schedule import is_due
from catok.training.lm.train_config import LMTrainConfig
from catok.training.lm.trainer import LMTrainer

from .conftest import new_networks, open_codes


def train(group: Group, places: Path, folder: Path, config: LMTrainConfig, cut: int = 0) -> dict:
    """A run to its end; with `cut`, after one that was given up at that step."""

    def trainer(lines):
        networks = new_networks(config)
        corpus = open_codes(places, networks, config.data)
        report = lines.append
        return LMTrainer(config, networks, corpus, corpus, folder, group=group, report=report)

    if cut:
        first = trainer([])
        for batches in first.batches():
            first.train_step(batches)
            if is_due(first.step, config.log_every, config.steps):
                first.learner.loss_meter.reset()  # as when it is logged
            if first.step == cut:
                break
        first.save()
        first.train_step(batches)
    lines: list[dict] = []
    run = trainer(lines)
    run.run()
    named = list(run.learner.objective.named_parameters())
    return {
        "lines": lines,
        "weights": {name: full_tensor(p.detach()).clone() for name, p in named},
        "sharded": sorted(name for name, p in named if isinstance(p, DTensor)),
    }

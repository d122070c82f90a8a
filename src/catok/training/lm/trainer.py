"""A run of a token language model: its data, and what it logs and publishes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch

from catok.training.engine.checkpoint import Kind
from catok.training.engine.distributed import Group, full_state_dict
from catok.training.engine.learner import StepResult
from catok.training.engine.throughput import Processed
from catok.training.engine.trainer import BaseTrainer, Report
from catok.training.lm.batches import TokenBatch, training_source
from catok.training.lm.corpus import Corpus
from catok.training.lm.learner import LMLearner
from catok.training.lm.networks import LMNetworks, publish
from catok.training.lm.objective import Objective
from catok.training.lm.train_config import LMTrainConfig
from catok.training.lm.validation import LMValidator


class LMTrainer(BaseTrainer[TokenBatch, LMLearner]):
    """Trains the networks of `networks` in `folder`; see `BaseTrainer`.

    Raises ValueError on states and data that do not fit.
    """

    kind: ClassVar[Kind] = "language model"

    def __init__(
        self,
        config: LMTrainConfig,
        networks: LMNetworks,
        train: Corpus,
        valid: Corpus | None,
        folder: str | Path,
        *,
        device: str | torch.device = "cpu",
        group: Group | None = None,
        report: Report = lambda line: None,
    ) -> None:
        self.config, self.networks, self.corpus, self.valid = config, networks, train, valid
        group = group or Group()
        self.source = training_source(
            config, train, networks.prompt_builder, group.rank, group.world_size
        )
        weights = networks.space.weight_hash
        super().__init__(
            config,
            config.steps,
            folder,
            num_workers=config.data.workers,
            device=device,
            group=group,
            report=report,
            facts={"weight_hash": (weights, "speaks codes of another audio tokenizer")},
        )

    def build_learner(self, is_resumed: bool) -> LMLearner:
        """Of the networks that were given."""
        objective = Objective(
            self.networks.model,
            self.networks.ctc,
            channel_weights=self.config.channel_weights,
            ctc_weight=self.config.ctc.weight,
        )
        return LMLearner(self.config, objective, self.group, self.device)

    def build_validator(self) -> LMValidator | None:
        """On the validation corpus, if there is one."""
        return LMValidator(self.learner, self.valid, self.source) if self.valid else None

    def requests(self, step: int) -> list[Callable[[], TokenBatch]]:
        """From the training corpus."""
        return self.source.requests(step)

    def throughput_of(self, batches: list[TokenBatch]) -> Processed:
        """Rows and frames, and what of the rows was padding."""
        rows = sum(batch.mask.numel() for batch in batches)
        real = sum(int(batch.mask.sum()) for batch in batches)
        frames = sum(batch.frames for batch in batches)
        seconds = frames / self.corpus.space.frame_rate
        return {"rows": real, "frames": frames, "audio": seconds}, {"padding": (rows - real, rows)}

    def log_metrics(self, result: StepResult) -> dict[str, Any]:
        """Means of the losses since the last line, and what is this step's alone."""
        if not result.finite:
            return dict(result.metrics)
        summary = self.learner.loss_meter.summary(self.group)
        self.learner.loss_meter.reset()
        return result.metrics | summary

    def publish(self, folder: Path) -> None:
        """Write the model, its text tokenizer and how it is to be used."""
        with self.learner.ema_weights():
            tensors = full_state_dict(self.networks.model)
            if self.group.is_main:
                publish(self.networks, self.config, self.corpus, folder, tensors)
        self.group.barrier()

    def describe_data(self) -> dict[str, Any]:
        """Utterances, hours, and what was left out by reason."""
        description: dict[str, Any] = {
            "utterances": len(self.corpus),
            "hours": round(self.corpus.hours, 3),
            "parameters": sum(p.numel() for p in self.learner.module.parameters()),
        }
        left_out = dict(sorted(self.corpus.skipped.items()))
        return description | ({"left_out": left_out} if left_out else {})

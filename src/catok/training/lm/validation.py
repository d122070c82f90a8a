"""How good a model is on recordings that it does not train on."""

import torch
from torch import Tensor

from catok.lm.loss import combine
from catok.training.lm.batches import LMBatchSource, TokenBatch
from catok.training.lm.corpus import Corpus
from catok.training.lm.learner import LMLearner

FIRST = {"tts": 0, "asr": 1}  # seeds, so that the tasks do not share their draws


class LMValidator:
    """Measures on the same batches each time, those of each task shared out over the processes.

    With a moving average of the weights, that is what is measured.
    """

    def __init__(self, learner: LMLearner, corpus: Corpus, source: LMBatchSource) -> None:
        self.learner = learner
        config = learner.config
        self.sources = {
            task: LMBatchSource(
                corpus, source.prompt_builder, config.data, {task: 1.0}, seed=FIRST[task]
            )
            for task in config.task_names
        }
        self.count = config.validation_batches

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """valid_tts_K: weighted loss with K codebooks; valid_asr_text and valid_asr_ctc, with all.

        In nats per target. In recognition no frames are hidden.
        """
        losses: dict[str, float] = {}
        with self.learner.eval_mode():
            for task, source in self.sources.items():
                batches = self._batches(source)
                losses |= self._tts(batches) if task == "tts" else self._asr(batches)
        return {name: round(value, 5) for name, value in losses.items()}

    def _batches(self, source: LMBatchSource) -> list[tuple[TokenBatch, float]]:
        """This process's share, and the weight of each.

        Where weights are sharded all processes must do as many passes: the last may be for nothing.
        """
        group, batches = self.learner.group, []
        for first in range(0, self.count, group.world_size):
            number = first + group.rank
            if number < self.count:
                batches.append((source.batch(number), 1.0))
            elif self.learner.sharded:
                batches.append((source.batch(first), 0.0))
        return batches

    def _tts(self, batches: list[tuple[TokenBatch, float]]) -> dict[str, float]:
        objective = self.learner.objective
        losses = {}
        for depth in depths(objective.model.config.n_vq):
            nats, targets, _ = self._sums(batches, depth)
            mean = nats / targets.clamp(min=1)
            loss = combine(mean, targets, objective.channel_weights).losses["loss"]
            losses[f"valid_tts_{depth}"] = float(loss)
        return losses

    def _asr(self, batches: list[tuple[TokenBatch, float]]) -> dict[str, float]:
        nats, targets, ctc = self._sums(batches, self.learner.objective.model.config.n_vq)
        losses = {"valid_asr_text": float(nats[0] / targets[0].clamp(min=1))}
        if ctc[1]:
            losses["valid_asr_ctc"] = float(ctc[0] / ctc[1])
        return losses

    def _sums(
        self, batches: list[tuple[TokenBatch, float]], depth: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Nats and targets `[1 + depth]` by channel, and both of CTC `[2]`, over all processes."""
        learner = self.learner
        sums = torch.zeros(2, 2 + depth, device=learner.device)
        for batch, weight in batches:
            with learner.forward_mode():
                loss = learner.objective(batch.to(learner.device), depth)
            tokens = loss.tokens
            sums[0, :-1] += weight * tokens.per_channel * tokens.targets
            sums[1, :-1] += weight * tokens.targets
            sums[:, -1] += weight * torch.stack([loss.ctc, loss.ctc_labels])
        sums = learner.group.sum(sums)
        return sums[0, :-1], sums[1, :-1], sums[:, -1]


def depths(n_vq: int) -> list[int]:
    """One codebook, a quarter, half and all of them."""
    return sorted({1, max(1, n_vq // 4), max(1, n_vq // 2), n_vq})

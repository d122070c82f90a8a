"""How good the model is on recordings it does not train on."""

from dataclasses import replace

import torch
from torch import Tensor

from catok.training.codec.data import Batch, BatchSource
from catok.training.codec.learner import CodecLearner
from catok.training.codec.losses.mel import MelLoss

DEPTHS = (1, 2, 4, 8, 16, 32)


class Validator:
    """Measures on `batches` fixed batches, read anew each time. With a moving average of the
    weights, that is what is measured.

    `examples`: the last measurement's first row, `[C, T]` by name.
    """

    def __init__(self, learner: CodecLearner, source: BatchSource, batches: int = 4) -> None:
        self.learner, self.source, self.count = learner, source, batches
        self.mel = MelLoss(learner.codec.sample_rate)
        self.examples: dict[str, Tensor] = {}

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Mel loss (all scales) by number of codebooks, and the text's mean cross-entropy."""
        learner = self.learner
        crops = [self.source.batch(index) for index in range(self.count)]
        depths = [depth for depth in DEPTHS if depth <= learner.codec.num_quantizers]
        with learner.eval_mode():
            numbers = {f"valid_mel_{depth}": self._mel_at(depth, crops) for depth in depths}
            numbers |= self._semantic(crops)
        return {name: round(value, 5) for name, value in numbers.items()}

    def _mel_at(self, depth: int, crops: list[Batch]) -> float:
        total = torch.zeros((), device=self.learner.device)
        for batch in crops:
            audio = batch.audio.to(self.learner.device)
            result = self.learner.generator.reconstruct(audio, depth)
            edges = batch.band_edges.to(self.learner.device)
            total += self.mel(result.audio, audio, edges) / len(crops)
            if batch is crops[0]:
                self.examples |= {"original": audio[0], f"codebooks-{depth}": result.audio[0]}
        return float(self.learner.group.mean(total))

    def _semantic(self, crops: list[Batch]) -> dict[str, float]:
        """Nats per text token, over all processes; nothing where there is no text."""
        learner = self.learner
        if learner.semantic is None:
            return {}
        sums = torch.zeros(2, device=learner.device)
        for batch in crops:
            read = learner.generator.read(replace(batch, audio=batch.audio.to(learner.device)))
            sums += torch.stack([read.token_loss_sum, sums.new_tensor(float(read.text_tokens))])
        total, tokens = learner.group.sum(sums).tolist()
        return {"valid_semantic": total / tokens} if tokens else {}

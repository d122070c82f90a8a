"""The losses of a batch: the token model's, and CTC beside it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from catok.lm.asr.ctc import CTCHead
from catok.lm.loss import TokenLoss
from catok.lm.model import TokenLM
from catok.training.lm.batches import TokenBatch


@dataclass(frozen=True)
class BatchLoss:
    """`total` is to be minimised; `ctc` in nats over all `ctc_labels` of the batch, 0 if unused."""

    total: Tensor
    tokens: TokenLoss
    ctc: Tensor
    ctc_labels: Tensor


class Objective(nn.Module):
    """A `TokenLM` and, if there is one, its CTC head: batch -> losses.

    total = weighted mean over channels + `ctc_weight` * CTC loss per label (Watanabe et al. 2017
    join the two for recognition). Without channel weights, channels count alike. In synthesis the
    states that predict the spoken frames, which have the text before them, learn by CTC to tell
    what is said: for that attention has to find its place in the text, as it must to go on.
    """

    def __init__(
        self,
        model: TokenLM,
        ctc: CTCHead | None = None,
        *,
        channel_weights: tuple[float, ...] = (),
        ctc_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.model, self.ctc = model, ctc
        self.channel_weights, self.ctc_weight = channel_weights or None, ctc_weight

    def forward(self, batch: TokenBatch, num_quantizers: int) -> BatchLoss:
        """Losses with the first `num_quantizers` codebooks."""
        hidden, _ = self.model.temporal(
            batch.rows, batch.mask, None, num_quantizers, keep_state=False
        )
        tokens = self.model.loss_after(hidden, batch.labels, num_quantizers, self.channel_weights)
        total = tokens.losses["loss"]
        if self.ctc is None:
            nothing = total.new_zeros(())
            return BatchLoss(total, tokens, nothing, nothing)
        voiced, frames = voiced_frames(hidden, batch.voiced)
        hears_silence = batch.task == "asr"  # in synthesis a text that is empty is a hidden one
        ctc, labels = self.ctc(voiced, frames, batch.text, batch.text_lengths, hears_silence)
        total = total + self.ctc_weight * ctc / labels.clamp(min=1)
        return BatchLoss(total, tokens, ctc, labels)


def voiced_frames(hidden: Tensor, voiced: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden states `[B, T, D]` of the one run of frames `voiced` `[B, T]` in each row.

    Moved to the front, `[B, F, D]`, and how many there are, `[B]`; what is beyond means nothing.
    """
    frames = voiced.sum(dim=1)
    first = voiced.to(torch.uint8).argmax(dim=1)
    longest = max(1, int(frames.max()))
    places = first[:, None] + torch.arange(longest, device=voiced.device)
    places = places.clamp(max=hidden.shape[1] - 1)
    return hidden.gather(1, places[..., None].expand(-1, -1, hidden.shape[2])), frames

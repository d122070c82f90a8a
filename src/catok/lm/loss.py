"""Cross-entropy per channel and its weighted mean. Source: `docs/spec/tts-layout.md` (f)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORED = -100  # label of what is not to be predicted


@dataclass(frozen=True)
class TokenLoss:
    """Losses of a batch, in nats per target.

    `losses`: scalars "loss" (the weighted mean over channels, to be minimised), "text" (channel 0)
    and "audio" (mean over the audio channels that have targets). `per_channel` `[1 + K]`, 0 where a
    channel has no target; `targets` `[1 + K]` int64, how many it has.
    """

    losses: dict[str, Tensor]
    per_channel: Tensor
    targets: Tensor


def total_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of `[N, V]` logits, summed over the labels `[N]` that count."""
    return F.cross_entropy(logits.float(), labels, ignore_index=IGNORED, reduction="sum")


def combine(
    per_channel: Tensor, targets: Tensor, weights: Sequence[float] | Tensor | None = None
) -> TokenLoss:
    """Weigh channels; `weights` has at least as many entries as there are channels, None is equal.

    A channel without targets leaves its weight out of the mean. Raises ValueError on too few
    weights and on negative ones.
    """
    channels = len(per_channel)
    if weights is None:
        weights = torch.ones(channels, dtype=torch.float32, device="cpu")
    weights = torch.as_tensor(weights, dtype=torch.float32, device=per_channel.device)
    if weights.dim() != 1 or len(weights) < channels or bool((weights < 0).any()):
        raise ValueError(
            f"channel_weights must be {channels} numbers of at least 0, one for text and one per "
            f"codebook, got {weights.tolist()}"
        )
    present = (targets > 0).float()

    def mean(share: Tensor) -> Tensor:
        share = share * present
        return (per_channel * share).sum() / share.sum().clamp(min=torch.finfo(share.dtype).tiny)

    audio = torch.ones_like(present)
    audio[0] = 0
    losses = {"loss": mean(weights[:channels]), "text": per_channel[0], "audio": mean(audio)}
    return TokenLoss(losses, per_channel, targets)

"""Least-squares GAN losses (paper section 3, GAN type LSGAN).

    L_D   = (1/K) sum_k (1 - D_k(x))^2 + D_k(xhat)^2
    L_adv = (1/K) sum_k (1 - D_k(xhat))^2

over K discriminators; a score has many places, over which the squares are averaged first, so that
no discriminator weighs more for being finer.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

Features = Sequence[Sequence[Tensor]]  # per discriminator its feature maps, the last the score


def discriminator_loss(real: Features, fake: Features) -> Tensor:
    """Scalar L_D. Compute `fake` from detached audio: only the discriminators learn from it."""
    pairs = zip(real, fake, strict=True)
    return _mean(_distance(x[-1], 1) + _distance(xhat[-1], 0) for x, xhat in pairs)


def pair_loss(pair: Features) -> Tensor:
    """`discriminator_loss` of one pass over real rows and, behind them, as many made ones."""
    halves = [maps[-1].chunk(2) for maps in pair]
    return discriminator_loss([[real] for real, _ in halves], [[fake] for _, fake in halves])


def generator_loss(fake: Features) -> Tensor:
    """Scalar L_adv. Freeze the discriminators' parameters while `fake` is computed."""
    return _mean(_distance(xhat[-1], 1) for xhat in fake)


def _distance(score: Tensor, goal: float) -> Tensor:
    return (score.float() - goal).pow(2).mean()


def _mean(values: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean()

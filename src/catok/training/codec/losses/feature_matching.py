"""Feature matching: reconstructions look like the original inside the discriminators as well
(paper section 3; relative as in EnCodec, unlike DAC).

    L_feat = 1/K sum_k 1/L_k sum_l ||D_k^l(x) - D_k^l(xhat)||_1 / mean(||D_k^l(x)||_1)

over K discriminators and their L_k feature maps. The division makes maps of any scale weigh the
same. The score is not among them, in EnCodec and DAC alike: the adversarial loss has it already.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from catok.training.codec.losses.adversarial import Features

TINY = 1e-8


def feature_matching_loss(
    real: Features, fake: Features, agree: Callable[[Tensor], Tensor] = lambda x: x
) -> Tensor:
    """Scalar L_feat; no gradient flows into `real`. Each entry ends with its score, left out.

    `agree`: the mean over processes of a tensor that every one of them has, so that all divide by
    the magnitudes of the whole batch.
    """
    pairs = [
        list(zip(maps[:-1], others[:-1], strict=True))
        for maps, others in zip(real, fake, strict=True)
    ]
    sizes = [torch.stack([x.detach().float().abs().mean() for x, _ in maps]) for maps in pairs]
    agreed = agree(torch.cat(sizes)).clamp(min=TINY).split([len(maps) for maps in pairs])
    per_discriminator = [
        (torch.stack([_distance(x, xhat) for x, xhat in maps]) / size).mean()
        for maps, size in zip(pairs, agreed, strict=True)
    ]
    return torch.stack(per_discriminator).mean()


def _distance(real: Tensor, fake: Tensor) -> Tensor:
    return (fake.float() - real.detach().float()).abs().mean()

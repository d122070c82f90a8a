"""Feature matching: reconstructions look like the original inside the discriminators as well
(paper section 3; relative as in EnCodec, unlike DAC).

    L_feat = 1/K sum_k 1/L_k sum_l ||D_k^l(x) - D_k^l(xhat)||_1 / mean(||D_k^l(x)||_1)

over K discriminators and their L_k feature maps. The division makes maps of any scale weigh the
same. The score is not among them, in EnCodec and DAC alike: the adversarial loss has it already.
"""

import torch
from torch import Tensor

from catok.training.losses.adversarial import Features

TINY = 1e-8


def feature_matching_loss(real: Features, fake: Features) -> Tensor:
    """Scalar L_feat; no gradient flows into `real`. Each entry ends with its score, left out."""
    per_discriminator = [
        torch.stack(
            [_relative(x, xhat) for x, xhat in zip(maps[:-1], others[:-1], strict=True)]
        ).mean()
        for maps, others in zip(real, fake, strict=True)
    ]
    return torch.stack(per_discriminator).mean()


def _relative(real: Tensor, fake: Tensor) -> Tensor:
    """Mean absolute difference over the mean magnitude of `real`."""
    real = real.detach().float()
    return (fake.float() - real).abs().mean() / real.abs().mean().clamp(min=TINY)

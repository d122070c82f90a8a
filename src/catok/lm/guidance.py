"""Classifier-free guidance: what the text changes, made more of.

The same frame is judged twice, with the text and without it; the difference of the logits is what
the text has to say, and a `scale` above 1 makes that louder (Ho and Salimans 2022; in language
models of audio Kreuk et al. 2022). The model must have learnt to go on without text
(`DataConfig.no_text`). It costs a second row for every row.
"""

import torch
from torch import Tensor


def apply_guidance(logits: Tensor, scale: float) -> Tensor:
    """Logits `[2 N, V]`, N with the text and then the same N without -> `[N, V]`.

    without + scale * (with - without); a token that cannot be chosen with the text stays so.
    """
    conditional, unconditional = logits.chunk(2)
    return torch.where(
        conditional.isinf(), conditional, unconditional + scale * (conditional - unconditional)
    )

"""Arrays that come from outside: what is taken for a tensor, and what samples may be."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

LOUDEST = 1000.0  # 60 dB over full scale: no recording, but integers stored as floats


def as_tensor(value: Any, what: str) -> Tensor:
    """A tensor as it is; a NumPy array as a tensor on the CPU, sharing its memory if it may.

    `what` names it in messages, with its shape: "audio [B, C, T]". Raises ValueError for anything
    else and for arrays of a type that PyTorch has not.
    """
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, np.ndarray):
        hint = ": its tensor is .codes" if hasattr(value, "codes") else ""
        raise ValueError(
            f"{what} must be a torch tensor or a NumPy array, got {type(value).__name__}{hint}"
        )
    if not value.flags.writeable or any(stride < 0 for stride in value.strides):
        value = value.copy()
    try:
        return torch.from_numpy(value)
    except (TypeError, ValueError) as error:  # texts, objects, the other byte order
        raise ValueError(f"{what} cannot be of NumPy type {value.dtype}: {error}") from error


def check_peak(peak: float, what: str) -> None:
    """ValueError unless the largest magnitude of float samples is finite and one of audio."""
    if not np.isfinite(peak):
        raise ValueError(f"{what} holds NaN or infinite samples: repair or remove them first")
    if peak > LOUDEST:
        raise ValueError(
            f"{what} has samples of {peak:g}, full scale is 1: divide it by the full scale of its "
            "integers (32768 for 16 bits), or remove what is no sound"
        )

"""Recordings as a codec wants them, and what it makes of them as the recordings were."""

import time
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from catok.audio.mixing import mix
from catok.audio.resampling import check_rate, describe, resample

T = TypeVar("T")


def convert(audio: Tensor, sample_rate: int, to_rate: int, to_channels: int) -> Tensor:
    """A recording `[C, T]` at `sample_rate` Hz -> `[to_channels, ceil(T * to_rate / sample_rate)]`.

    Raises ValueError on audio of another shape or dtype, empty, with NaN or infinite samples, or
    with channels that cannot be mixed as wanted.
    """
    check_rate(sample_rate)
    if audio.dim() != 2 or audio.numel() == 0 or not audio.is_floating_point():
        raise ValueError(f"expected float audio [C, T], got {describe(audio)}")
    if not bool(audio.isfinite().all()):
        raise ValueError("the recording holds NaN or infinite samples: mend it or leave it out")
    return resample(mix(audio.float().cpu(), to_channels), sample_rate, to_rate)


def restore(decoded: Tensor, rate: int, audio: Tensor, sample_rate: int) -> Tensor:
    """Decoded `[c, n]` at `rate` Hz -> `[C, T]` at `sample_rate`, like the recording `audio`.

    What the codec gave beyond the recording's end is cut off; what is missing there is silence.
    """
    back = resample(mix(decoded.float().cpu(), audio.shape[0]), rate, sample_rate)
    back = back[:, : audio.shape[1]]
    return torch.nn.functional.pad(back, (0, audio.shape[1] - back.shape[1]))


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """What `call` returns, and its wall-clock time in seconds."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start

"""Audio tensors at another rate or with other channels.

Resampling T samples gives exactly ceil(T * new rate / old rate): nothing is lost at the end.
"""

from collections.abc import Iterator
from numbers import Integral

import numpy as np
import soxr
import torch
from torch import Tensor


def resample(audio: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Resample `[..., C, T]` from one rate in Hz to another: `[..., C, ceil(T * to / from)]`.

    Very high quality, linear phase, no gradient; dtype and device are kept. Raises ValueError for
    rates that are not positive integers and for audio that is not floating point or has no samples.
    """
    check_rate(from_rate)
    check_rate(to_rate)
    if not audio.is_floating_point() or audio.dim() < 1 or audio.numel() == 0:
        raise ValueError(f"expected float samples [..., C, T], got {describe(audio)}")
    if from_rate == to_rate:
        return audio
    length = _resampled_length(audio.shape[-1], from_rate, to_rate)
    flat = audio.detach().float().cpu().reshape(-1, audio.shape[-1])
    tail = flat.new_zeros(flat.shape[0], _tail(from_rate, to_rate))
    samples = torch.cat([flat, tail], dim=1).T.contiguous().numpy()
    result = torch.from_numpy(soxr.resample(samples, from_rate, to_rate, quality="VHQ"))
    return result[:length].T.reshape(*audio.shape[:-1], length).to(audio)


def mix(audio: Tensor, channels: int) -> Tensor:
    """Change the channels of `[..., C, T]`: to 1 by the mean, from 1 by repetition.

    Raises ValueError for any other change, for example stereo to 5.1.
    """
    if audio.dim() < 2:
        raise ValueError(f"expected [..., C, T], got {describe(audio)}: add C with `audio[None]`")
    check_mix(audio.shape[-2], channels, "audio")
    if audio.shape[-2] == channels:
        return audio
    if channels == 1:
        return audio.mean(dim=-2, keepdim=True)
    return audio.repeat_interleave(channels, dim=-2)


def resample_blocks(
    blocks: Iterator[Tensor], channels: int, from_rate: int, to_rate: int
) -> Iterator[Tensor]:
    """`resample` of a stream of blocks `[C, n]`, equal to that of the whole."""
    if from_rate == to_rate:
        yield from blocks
        return
    stream = soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32", quality="VHQ")
    received = given = 0
    for block in blocks:
        received += block.shape[1]
        samples = stream.resample_chunk(block.T.contiguous().numpy())
        given += len(samples)
        if len(samples):
            yield torch.from_numpy(samples.T.copy())
    tail = np.zeros((_tail(from_rate, to_rate), channels), dtype=np.float32)
    samples = stream.resample_chunk(tail, last=True)
    missing = _resampled_length(received, from_rate, to_rate) - given
    if missing:
        yield torch.from_numpy(samples[:missing].T.copy())


def _resampled_length(samples: int, from_rate: int, to_rate: int) -> int:
    return -(-samples * to_rate // from_rate)


def _tail(from_rate: int, to_rate: int) -> int:
    """Zeros to append so that soxr, which rounds its length, gives at least the ceiling."""
    return -(-from_rate // to_rate) + 1


def check_rate(rate: int, name: str = "sample rate") -> None:
    """Raises ValueError unless `rate` is a positive integer."""
    if not isinstance(rate, Integral) or rate < 1:
        raise ValueError(f"{name} must be a positive integer in Hz, got {rate!r}")


def check_mix(have: int, want: int, name: str) -> None:
    """Raises ValueError unless `have` channels can become `want`."""
    if want < 1 or (want != have and 1 not in (have, want)):
        raise ValueError(f"cannot mix {name} of {have} channels into {want}: choose {have} or 1")


def describe(audio: Tensor) -> str:
    """Dtype and shape, for error messages."""
    return f"{audio.dtype} {list(audio.shape)}"

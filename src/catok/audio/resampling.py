"""Audio tensors at another rate, and which rates there are.

Resampling T samples gives exactly ceil(T * new rate / old rate): nothing is lost at the end.
"""

from collections.abc import Iterator
from numbers import Integral

import numpy as np
import soxr
import torch
from torch import Tensor

from catok.io.arrays import as_tensor

HIGHEST_RATE = 10_000_000  # Hz; beyond it a header is wrong
MOST_CHANNELS = 256
_LARGEST_RATIO = 1000


def resample(audio: Tensor | np.ndarray, from_rate: int, to_rate: int) -> Tensor:
    """Resample `[..., C, T]` from one rate in Hz to another: `[..., C, ceil(T * to / from)]`.

    Very high quality, linear phase, no gradient; dtype and device are kept. Raises ValueError for
    rates that are not positive integers and for audio that is not floating point or has no samples.
    """
    check_ratio(from_rate, to_rate)
    audio = as_tensor(audio, "audio [..., C, T]")
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
    """Raises ValueError unless `rate` is a positive integer up to 10 MHz."""
    if not isinstance(rate, Integral) or rate < 1:
        raise ValueError(f"{name} must be a positive integer in Hz, got {rate!r}")
    if rate > HIGHEST_RATE:
        raise ValueError(f"{name} must be at most {HIGHEST_RATE} Hz, got {rate}")


def check_ratio(from_rate: int, to_rate: int, name: str = "sample rate") -> None:
    """Raises ValueError unless both are rates of sound, less than a factor of 1000 apart."""
    check_rate(from_rate, name)
    check_rate(to_rate, name)
    if max(from_rate, to_rate) > _LARGEST_RATIO * min(from_rate, to_rate):
        raise ValueError(
            f"{name}: {from_rate} Hz to {to_rate} Hz is more than a factor of {_LARGEST_RATIO}: "
            "is its header right?"
        )


def check_header(sample_rate: int, channels: int, name: str) -> None:
    """Raises ValueError for a rate or a number of channels that no audio file has."""
    check_rate(sample_rate, f"the sample rate of {name}")
    if not 0 < channels <= MOST_CHANNELS:
        raise ValueError(f"{name} states {channels} channels, not 1 to {MOST_CHANNELS}: mend it")


def describe(audio: Tensor) -> str:
    """Dtype and shape, for error messages."""
    return f"{audio.dtype} {list(audio.shape)}"

"""What every codec under test is, and what one needs to write another.

A system makes audio of audio at one or more settings and says what each costs in bits and time.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from catok.audio.mixing import mix
from catok.audio.resampling import check_rate, describe, resample
from catok.codes import Encoded


@dataclass(frozen=True)
class Output:
    """A recording after one system at one setting.

    `setting`: the operating point, unique within the system, such as "1 kbps". `audio` `[C, T]`
    float32 at the rate of the recording, as long as it. `bits`: what was really stored or sent for
    it, headers of files left out unless the codec cannot do without; None for systems that do not
    compress. `num_quantizers`: codebooks decoded, for neural codecs. Wall times in seconds.
    `encoded`: the codes where there are any, all codebooks. `weights`: a short hash of the model's
    weights, decoder included.
    """

    setting: str
    audio: Tensor
    bits: int | None
    encode_seconds: float
    decode_seconds: float
    num_quantizers: int | None = None
    encoded: Encoded | None = None
    weights: str | None = None


class System(Protocol):
    """A codec with one or more operating points, all run on the same recording."""

    name: str
    settings: tuple[str, ...]

    def run(self, audio: Tensor, sample_rate: int) -> Iterator[Output]:
        """One output per setting, in their order. `audio` `[C, T]` float32 at `sample_rate` Hz.

        Raises ValueError that says why, where a recording cannot be coded.
        """
        ...


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


class Original:
    """Gives every recording back as it is; costs no bits, as it compresses nothing."""

    name = "original"
    settings: tuple[str, ...] = ("original",)

    def run(self, audio: Tensor, sample_rate: int) -> Iterator[Output]:
        """See `System.run`."""
        same = convert(audio, sample_rate, sample_rate, audio.shape[0])
        yield Output("original", same, bits=None, encode_seconds=0.0, decode_seconds=0.0)

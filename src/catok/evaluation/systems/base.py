"""What every codec under test is: something that makes audio of audio and says what it cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

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

"""The recording itself: the row of a table that no codec can pass."""

from collections.abc import Iterator

from torch import Tensor

from catok.evaluation.systems.base import Output
from catok.evaluation.systems.convert import convert


class Original:
    """Gives every recording back as it is; costs no bits, as it compresses nothing."""

    name = "original"
    settings: tuple[str, ...] = ("original",)

    def run(self, audio: Tensor, sample_rate: int) -> Iterator[Output]:
        """See `System.run`."""
        same = convert(audio, sample_rate, sample_rate, audio.shape[0])
        yield Output("original", same, bits=None, encode_seconds=0.0, decode_seconds=0.0)

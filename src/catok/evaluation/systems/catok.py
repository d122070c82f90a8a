"""Any tokenizer of this package as a system: "tiny", a folder or a hub id."""

from collections.abc import Sequence

import torch
from torch import Tensor

from catok.codes import Encoded
from catok.evaluation.systems.neural import NeuralSystem, weight_fingerprint
from catok.tokenizer.tokenizer import CausalAudioTokenizer


class CatokCodec:
    """A loaded tokenizer, as `NeuralSystem` wants a codec; any prefix of the codebooks decodes."""

    def __init__(self, tokenizer: CausalAudioTokenizer) -> None:
        self.tokenizer = tokenizer
        self.sample_rate = tokenizer.sample_rate
        self.channels = tokenizer.channels
        self.frame_rate = tokenizer.frame_rate
        self.codebook_size = tokenizer.codebook_size
        self.weights: str | None = weight_fingerprint(tokenizer)
        self.codebook_counts = tuple(range(1, tokenizer.num_quantizers + 1))

    def encode(self, audio: Tensor) -> Encoded:
        """See `NeuralCodec.encode`."""
        return self.tokenizer.encode(audio).to("cpu")

    def decode(self, encoded: Encoded, num_quantizers: int) -> Tensor:
        """See `NeuralCodec.decode`."""
        return self.tokenizer.decode(encoded, num_quantizers=num_quantizers).cpu()


def catok_system(
    name: str,
    bitrates: str | Sequence[str | float] = "all",
    *,
    device: str | torch.device = "cpu",
) -> NeuralSystem:
    """The tokenizer that `CausalAudioTokenizer.from_pretrained(name)` loads, named so in tables.

    Raises ValueError when it cannot be loaded or does not have a bitrate.
    """
    tokenizer = CausalAudioTokenizer.from_pretrained(name, device=device)
    return NeuralSystem(name, CatokCodec(tokenizer), bitrates)

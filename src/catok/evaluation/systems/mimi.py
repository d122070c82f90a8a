"""Mimi, the causal codec of Moshi (Défossez et al. 2024, arXiv:2410.00037)."""

from typing import Any

from torch import Tensor

from catok.evaluation.systems.peer import Peer


class MimiCodec(Peer):
    """Mimi from a folder or hub id, such as kyutai/mimi.

    The first codebook is the semantic one; Moshi uses eight ("8q", 1.1 kbps) of 32.
    """

    kind = "mimi"
    model_class = "MimiModel"

    def samples_per_frame(self, config: Any) -> int:
        """1920 for the published model."""
        return config.frame_size

    def decodable(self, config: Any) -> tuple[int, ...]:
        """The semantic codebooks and any number of the others."""
        return tuple(range(config.num_semantic_quantizers, config.num_quantizers + 1))

    def codes(self, audio: Tensor) -> Tensor:
        """See `Peer.codes`."""
        return self.model.encode(audio).audio_codes

    def audio(self, codes: Tensor) -> Tensor:
        """See `Peer.audio`."""
        return self.model.decode(codes).audio_values

"""DAC, the Descript Audio Codec (Kumar et al. 2023, arXiv:2306.06546); not causal."""

from typing import Any

from torch import Tensor

from catok.evaluation.systems.peer import Peer


class DacCodec(Peer):
    """DAC from a folder or hub id, such as descript/dac_24khz; any prefix decodes."""

    kind = "dac"
    model_class = "DacModel"

    def decodable(self, config: Any) -> tuple[int, ...]:
        """Any number of codebooks: it was trained with quantizer dropout."""
        return tuple(range(1, config.n_codebooks + 1))

    def codes(self, audio: Tensor) -> Tensor:
        """See `Peer.codes`."""
        return self.model.encode(audio).audio_codes

    def audio(self, codes: Tensor) -> Tensor:
        """See `Peer.audio`; some samples fewer than F frames, where a stride is odd."""
        return self.model.decode(audio_codes=codes).audio_values[:, None]

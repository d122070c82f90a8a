"""Encodec (Défossez et al. 2022, arXiv:2210.13438), the causal 24 kHz model."""

from typing import Any

from torch import Tensor

from catok.evaluation.systems.peer import Peer
from catok.io.cat_file import bits_per_code


class EncodecCodec(Peer):
    """Encodec from a folder or hub id, such as facebook/encodec_24khz.

    It has the bitrates that it was trained at (`target_bandwidths` of its config: 1.5, 3, 6, 12 and
    24 kbps). Raises ValueError for models that work in overlapping normalised chunks (48 kHz),
    whose scale factors this interface has no place for.
    """

    kind = "encodec"
    model_class = "EncodecModel"

    def decodable(self, config: Any) -> tuple[int, ...]:
        """The numbers of codebooks of the bitrates that it was trained at."""
        if config.normalize or config.chunk_length_s is not None:
            raise ValueError(f"{self.name} codes in normalised chunks: use the 24 kHz model")
        rate = bits_per_code(config.codebook_size) * self.frame_rate / 1000
        counts = {round(band / rate, 3) for band in config.target_bandwidths}
        return tuple(sorted(int(c) for c in counts if 1 <= c <= config.num_quantizers))

    def codes(self, audio: Tensor) -> Tensor:
        """All codebooks, since those of a lower bitrate are a prefix of them."""
        most = self.model.config.target_bandwidths[-1]
        return self.model.encode(audio, bandwidth=most).audio_codes[0]

    def audio(self, codes: Tensor) -> Tensor:
        """See `Peer.audio`."""
        return self.model.decode(codes[None], [None]).audio_values

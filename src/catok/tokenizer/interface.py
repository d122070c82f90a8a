"""What every implementation of a tokenizer offers, whatever computes it.

`CausalAudioTokenizer` computes in PyTorch, `catok.export.OnnxTokenizer` in onnxruntime.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from catok.codes import Encoded
from catok.tokenizer.config import TokenizerConfig
from catok.tokenizer.streaming import StreamDecoder, StreamEncoder


class TokenizerFacts:
    """Facts that follow from the configuration."""

    config: TokenizerConfig

    @property
    def sample_rate(self) -> int:
        """Samples per second per channel."""
        return self.config.sample_rate

    @property
    def channels(self) -> int:
        """Audio channels in and out."""
        return self.config.channels

    @property
    def frame_rate(self) -> float:
        """Code frames per second."""
        return self.config.frame_rate

    @property
    def frame_size(self) -> int:
        """Samples per channel per frame."""
        return self.config.frame_size

    @property
    def num_quantizers(self) -> int:
        """Codebooks K."""
        return self.config.quantizer.num_quantizers

    @property
    def codebook_size(self) -> int:
        """Codes per codebook."""
        return self.config.quantizer.codebook_size


class AudioTokenizer(TokenizerFacts, ABC):
    """Recordings to codes and back, whole and as streams.

    `model_id` goes into what `encode` returns, as provenance. Shapes, units and errors of every
    method are those that `CausalAudioTokenizer` documents.
    """

    model_id: str

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where codes and audio are returned."""

    @property
    @abstractmethod
    def weight_hash(self) -> str:
        """16 hex digits that name the code space."""

    @abstractmethod
    def encode(
        self, audio: Tensor, lengths: Tensor | None = None, num_quantizers: int | None = None
    ) -> Encoded:
        """Audio `[B, C, T]` float32 of any length -> `Encoded`."""

    @abstractmethod
    def decode(self, codes: Encoded | Tensor, num_quantizers: int | None = None) -> Tensor:
        """Codes -> audio `[B, C, T]` float32."""

    @abstractmethod
    def embed(self, codes: Tensor) -> Tensor:
        """Codes `[B, K, F]` -> the latents `[B, D, F]` that the decoder hears."""

    @abstractmethod
    def encoder_state(self, batch_size: int = 1) -> Any:
        """The state of streams to encode that have not begun; it has `batch_size` and `reset`."""

    @abstractmethod
    def decoder_state(self, batch_size: int = 1) -> Any:
        """The state of streams to decode that have not begun."""

    @abstractmethod
    def encode_step(
        self,
        chunk: Tensor,
        state: Any,
        active: Tensor | None = None,
        num_quantizers: int | None = None,
    ) -> tuple[Tensor, Any]:
        """The next n frames of every row -> codes `[B, K, n]` and the next state."""

    @abstractmethod
    def decode_step(
        self, codes: Tensor, state: Any, active: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        """The next n frames of every row -> audio and the next state."""

    @abstractmethod
    def encode_frames(self, chunk: Tensor, state: Any, num_quantizers: int) -> tuple[Tensor, Any]:
        """`encode_step` of input that has been checked; the old state is not used again."""

    @abstractmethod
    def decode_frames(self, codes: Tensor, state: Any) -> tuple[Tensor, Any]:
        """`decode_step` of codes that have been checked; the old state is not used again."""

    def encoded(self, codes: Tensor, sample_lengths: Tensor) -> Encoded:
        """Codes `[B, K, F]` of this model and lengths `[B]` in samples, with their provenance."""
        return Encoded(
            codes=codes,
            sample_lengths=sample_lengths.to(codes.device),
            sample_rate=self.sample_rate,
            channels=self.channels,
            frame_size=self.frame_size,
            codebook_size=self.codebook_size,
            model_id=self.model_id,
            weight_hash=self.weight_hash,
        )

    def stream_encoder(
        self, batch_size: int = 1, num_quantizers: int | None = None
    ) -> StreamEncoder:
        """A session that takes audio in pieces of any size; see `StreamEncoder`."""
        return StreamEncoder(self, batch_size, num_quantizers)

    def stream_decoder(self, batch_size: int = 1, samples: int | None = None) -> StreamDecoder:
        """A session that takes codes in pieces of any size; see `StreamDecoder`."""
        return StreamDecoder(self, batch_size, samples)

    def check_code_space(self, encoded: Encoded) -> None:
        """Raises ValueError if this model cannot understand these codes."""
        for name in ("sample_rate", "channels", "frame_size", "codebook_size"):
            if getattr(encoded, name) != getattr(self, name):
                raise ValueError(
                    f"these codes are of a model with {name} {getattr(encoded, name)}, this one "
                    f"has {getattr(self, name)}: load the model {encoded.model_id or 'they are of'}"
                )
        if encoded.weight_hash and encoded.weight_hash != self.weight_hash:
            raise ValueError(
                f"these codes were made by another model ({encoded.model_id or 'unnamed'}, weights "
                f"{encoded.weight_hash}; this one is {self.weight_hash}): load that model, or pass "
                "the bare .codes tensor to decode them all the same"
            )

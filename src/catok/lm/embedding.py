"""Rows of tokens as vectors: the sum of the channels' embeddings.

Source: `docs/spec/tts-layout.md` (c) 1.
"""

from torch import Tensor, nn

from catok.lm.config import TokenLMConfig


class FrameEmbedding(nn.Module):
    """One table for text, one for each codebook.

    A pad code's row is added like any other but gets no gradient, as upstream: in a model trained
    from nothing it stays 0.
    """

    def __init__(self, config: TokenLMConfig) -> None:
        super().__init__()
        self.channels = config.channels
        size, pad = config.audio_vocab_size + 1, config.audio_pad_code
        self.tables = nn.ModuleList([nn.Embedding(config.vocab_size, config.width)])
        self.tables.extend(
            nn.Embedding(size, config.width, padding_idx=pad) for _ in range(config.n_vq)
        )

    def forward(self, rows: Tensor, num_quantizers: int) -> Tensor:
        """Rows `[B, T, 1 + n_vq]` int64 -> `[B, T, D]`: text and the first codebooks, summed."""
        if rows.dim() != 3 or rows.shape[2] != self.channels:
            raise ValueError(
                f"rows must have shape [B, T, {self.channels}], got {list(rows.shape)}: text in "
                "channel 0, then one channel per codebook"
            )
        total = self.tables[0](rows[..., 0])
        for channel in range(1, num_quantizers + 1):
            total = total + self.tables[channel](rows[..., channel])
        return total

    def token(self, channel: int, ids: Tensor) -> Tensor:
        """Ids `[N]` of one channel -> `[N, D]`; a negative id (no target) gives the zero vector."""
        vectors = self.tables[channel](ids.clamp(min=0))
        return vectors.masked_fill((ids < 0)[..., None], 0.0)

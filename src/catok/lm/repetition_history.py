"""Which codes each row's channels have held so far: all that the repetition penalty asks."""

import torch
from torch import Tensor


class RepetitionHistory:
    """A set of codes per row and codebook, `[N, K, codes]` bool.

    Source: `docs/spec/tts-layout.md` (e).

    Everything counts: the prompt, reference codes, pad codes, what was generated.
    """

    def __init__(self, rows: Tensor, num_quantizers: int, codes: int) -> None:
        shape = (len(rows), num_quantizers, codes)
        self._seen = torch.zeros(shape, dtype=torch.bool, device=rows.device)
        self.add(rows)

    def add(self, rows: Tensor) -> None:
        """Take note of rows `[N, T, 1 + n_vq]` int64."""
        codes = rows[:, :, 1 : 1 + self._seen.shape[1]].transpose(1, 2)
        self._seen.scatter_(2, codes, True)

    def channel(self, channel: int) -> Tensor:
        """The codes that audio channel 1 to K has held, `[N, codes]` bool."""
        return self._seen[:, channel - 1]

    def extend(self, other: "RepetitionHistory") -> None:
        """Take in the rows of another, after one's own."""
        self._seen = torch.cat([self._seen, other._seen])

    def select(self, rows: Tensor) -> None:
        """Keep some rows only; `rows` int64 `[A]`."""
        self._seen = self._seen[rows]

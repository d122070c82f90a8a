"""Causal attention inside a sliding window (`docs/spec/checkpoints.md` (c)).

A query at frame i sees the keys j with 0 <= i - j < window. `dense_attention` says so in the
plainest way, with memory quadratic in length; `windowed_attention` gives the same result block of
queries by block, each against the keys it may see, with time and memory linear in length.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from catok.modules.rope import rotate

QUERY_BLOCK = 256  # queries per block: wide enough to keep the matrix products busy


def window_mask(queries: Tensor, keys: Tensor, window: int) -> Tensor:
    """True where the query at frame `queries[..., i]` may see the key at frame `keys[..., j]`.

    Integer frames `[..., Q]` and `[..., K]` -> bool `[..., Q, K]`.
    """
    distance = queries.unsqueeze(-1) - keys.unsqueeze(-2)
    return (distance >= 0) & (distance < window)


def dense_attention(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """The reference: one `[Q, K]` mask over everything. Shapes as in `windowed_attention`."""
    frames = torch.arange(k.shape[2], device=q.device)
    mask = window_mask(frames[-q.shape[2] :], frames, window)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def windowed_attention(
    q: Tensor, k: Tensor, v: Tensor, window: int, first: Tensor | None = None
) -> Tensor:
    """Queries `[B, H, T, D]` on keys and values `[B, H, P + T, D]` -> `[B, H, T, D]`.

    The last T keys belong to the queries' own frames, the P before them to the past. `first` `[B]`
    is the index of the first key that a row really has (rows of a stream start at different times);
    None means all of them are real.
    """
    steps, past = q.shape[2], k.shape[2] - q.shape[2]
    if past == 0 and steps <= window and first is None and not _written_out(q):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    frames = torch.arange(past + steps, device=q.device)
    masks = _BlockMasks(frames, min(QUERY_BLOCK, steps), window)
    if first is None and q.device.type == "cpu" and not _written_out(q):
        masks.make_additive(q.dtype)
    blocks = []
    for start in range(0, steps, QUERY_BLOCK):
        stop = min(start + QUERY_BLOCK, steps)
        seen = slice(max(0, past + start - window + 1), past + stop)
        mask = masks.of(stop - start, seen.stop - seen.start)
        if first is not None:
            mask = mask & (frames[seen] >= first[:, None, None, None])
        blocks.append(_attend(q[:, :, start:stop], k[:, :, seen], v[:, :, seen], mask))
    return torch.cat(blocks, dim=2)


class _BlockMasks:
    """The masks of all blocks of queries, cut out of the widest one: in each of them the last query
    is at the frame of the last key, and distances are all that counts.
    """

    def __init__(self, frames: Tensor, block: int, window: int) -> None:
        widest = frames[: window - 1 + block]
        self._whole = window_mask(widest[-block:], widest, window)

    def make_additive(self, dtype: torch.dtype) -> None:
        """What attention on a CPU would make of each bool mask, once for all."""
        nothing = torch.zeros(self._whole.shape, dtype=dtype, device=self._whole.device)
        self._whole = nothing.masked_fill(~self._whole, -torch.inf)

    def of(self, queries: int, keys: int) -> Tensor:
        """For so many queries, whose frames are those of the last of so many keys."""
        return self._whole[self._whole.shape[0] - queries :, self._whole.shape[1] - keys :]


def _written_out(q: Tensor) -> bool:
    """Whether three plain operations beat PyTorch's kernel: in bfloat16 on a CPU, by a factor of
    two, backward included.
    """
    return q.device.type == "cpu" and q.dtype == torch.bfloat16


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    if not _written_out(q):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    return scores.masked_fill(~mask, -torch.inf).softmax(dim=-1) @ v


class CausalAttention(nn.Module):
    """Multi-head self-attention with rotary positions; no bias, no dropout."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.in_proj = nn.Linear(width, 3 * width, bias=False)
        self.out_proj = nn.Linear(width, width, bias=False)

    def forward(
        self,
        x: Tensor,
        rotation: tuple[Tensor, Tensor],
        past: tuple[Tensor, Tensor] | None = None,
        first: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """`[B, T, D]` -> `[B, T, D]`, and this chunk's own keys and values `[B, H, T, D / H]`.

        `rotation`: cosines and sines of the T frames; `past`: keys and values before this chunk;
        `first`: see `windowed_attention`.
        """
        q, k, v = self.in_proj(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, *rotation), rotate(k, *rotation)
        keys, values = k, v
        if past is not None:
            keys, values = torch.cat((past[0], k), dim=2), torch.cat((past[1], v), dim=2)
        mixed = windowed_attention(q, keys, values, self.window, first)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k, v)

"""Causal attention inside a sliding window (`docs/spec/checkpoints.md` (c)).

A query at frame i sees the keys j with 0 <= i - j < window. `dense_attention` says so in the
plainest way, with memory quadratic in length; `windowed_attention` gives the same result block of
queries by block, each against the keys it may see, with time and memory linear in length.
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from catok.modules.linear import Linear, by_onednn, product
from catok.modules.rope import rotate

QUERY_BLOCK = 256  # queries per block: wide enough to keep the matrix products busy
LARGE_PRODUCT = 2**15  # scores of a head from which oneDNN's products beat PyTorch's kernel

Append = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


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


class WindowMasks:
    """Who sees what, for `steps` queries on `past + steps` keys: the same in all layers of a stage.

    The last of the keys belong to the queries' own frames, the others to the past. `first` `[B]` is
    the index of the first key that a row really has (rows of a stream start at different times);
    None means all of them are real.

    On a CPU the masks are what is added to scores, of the dtype of `like`, and no longer made of
    bool ones in every layer; elsewhere they are bool.
    """

    def __init__(
        self,
        steps: int,
        past: int,
        window: int,
        first: Tensor | None = None,
        *,
        like: Tensor,
    ) -> None:
        self.steps, self.past, self.window, self.first = steps, past, window, first
        self.causal = past == 0 and steps <= window and first is None
        block = min(QUERY_BLOCK, steps)
        keys = torch.arange(past + steps, device=like.device)
        widest = keys[: window - 1 + block]
        # of all blocks: the last query of each is at the frame of its last key, and distances are
        # all that counts
        self._widest = _as_kernels_want(window_mask(widest[-block:], widest, window), like.dtype)
        self._owned = None
        if first is not None:
            self._owned = _as_kernels_want(keys >= first[:, None, None, None], like.dtype)
        self._only = list(self._blocks()) if steps <= QUERY_BLOCK else None

    def __iter__(self) -> Iterator[tuple[slice, slice, Tensor]]:
        """Queries, the keys that they may see, and their mask."""
        return iter(self._only) if self._only else self._blocks()

    def _blocks(self) -> Iterator[tuple[slice, slice, Tensor]]:
        rows, columns = self._widest.shape
        for start in range(0, self.steps, QUERY_BLOCK):
            stop = min(start + QUERY_BLOCK, self.steps)
            seen = slice(max(0, self.past + start - self.window + 1), self.past + stop)
            mask = self._widest[rows - (stop - start) :, columns - (seen.stop - seen.start) :]
            if self._owned is not None:
                owned = self._owned[..., seen]
                mask = mask & owned if mask.dtype == torch.bool else mask + owned
            yield slice(start, stop), seen, mask


def _as_kernels_want(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """On a CPU 0 where true and minus infinity where not."""
    if mask.device.type != "cpu":
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(~mask, -torch.inf)


def windowed_attention(q: Tensor, k: Tensor, v: Tensor, masks: WindowMasks) -> Tensor:
    """Queries `[B, H, T, D]` on keys and values `[B, H, P + T, D]` -> `[B, H, T, D]`."""
    attend = _kernel(q, k)
    if masks.causal and attend is _fused:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    blocks = [
        attend(q[:, :, queries], k[:, :, keys], v[:, :, keys], mask)
        for queries, keys, mask in masks
    ]
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=2)


def _kernel(q: Tensor, k: Tensor) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """The fastest way: on a CPU PyTorch's kernel multiplies by MKL (see `linear`), and in bfloat16
    three plain operations take half of its time, backward included.
    """
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:
        return _written_out
    if min(q.shape[2], QUERY_BLOCK) * k.shape[2] >= LARGE_PRODUCT and by_onednn(q, k):
        return _head_by_head
    return _fused


def _fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    mask = mask if mask.dtype == torch.bool else mask.to(q.dtype)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def _written_out(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    return (scores + mask.to(q.dtype)).softmax(dim=-1) @ v


def _head_by_head(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    mixed = torch.empty_like(q)
    q = q * q.shape[-1] ** -0.5
    mask = mask.expand(q.shape[0], 1, *mask.shape[-2:])
    for row in range(q.shape[0]):
        for head in range(q.shape[1]):
            keys, values = k[row, head].contiguous(), v[row, head].contiguous()
            scores = product(q[row, head], keys).add_(mask[row, 0])
            mixed[row, head] = product(scores.softmax(dim=-1), values.t())
    return mixed


class CausalAttention(nn.Module):
    """Multi-head self-attention with rotary positions; no bias, no dropout."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj = Linear(width, 3 * width, bias=False)
        self.out_proj = Linear(width, width, bias=False)

    def forward(
        self, x: Tensor, rotation: Tensor, masks: WindowMasks, append: Append | None = None
    ) -> Tensor:
        """`[B, T, D]` -> `[B, T, D]`.

        `rotation`: of the T frames, see `rotate`; `append`: takes this chunk's keys and values
        `[B, H, T, D / H]` and gives those of the past and the chunk.
        """
        qkv = self.in_proj(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        (q, k), v = rotate(qkv[:2], rotation), qkv[2]
        if append is not None:
            k, v = append(k, v)
        return self.out_proj(windowed_attention(q, k, v, masks).transpose(1, 2).flatten(2))

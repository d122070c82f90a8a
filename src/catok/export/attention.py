"""Causal attention inside a window, as ONNX operations.

In a step, what is remembered of a stage's layers is two rings `[B, H, R + 1, D]` of keys and
values, R = window - 1: the frame at position p lies in slot p mod R, and slot R takes what nobody
shall remember (frames of rows that are idle). Nothing is shifted and nothing copied: attention
looks at the ring and at the new frames separately, and the new ones are then written over the
oldest. Over a whole recording, queries are taken in blocks, each against the keys of its window.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from catok.export.graph import Graph
from catok.modules.rope import TURN

HIDDEN = -1e30  # added to the scores of keys that a query may not see
QUERY_BLOCK = 256


@dataclass(frozen=True)
class Heads:
    """What the layers of a stage share."""

    count: int
    size: int
    window: int
    max_period: float

    @property
    def width(self) -> int:
        return self.count * self.size

    @property
    def ring(self) -> int:
        """Keys that are remembered."""
        return max(self.window - 1, 1)


@dataclass(frozen=True)
class Rotation:
    """Cosines and sines `[B, S, D / 2]`."""

    cos: str
    sin: str


@dataclass(frozen=True)
class Ring:
    """Where the frames of a step lie: `bias` `[B, 1, S, R + 1 + S]`, `places` `[B, H, S, 3]`."""

    bias: str
    places: str


@dataclass(frozen=True)
class Blocks:
    """How a recording's queries are worked off: `size` and `count` of the blocks `[1]`, `pads` that
    complete `[B, H, S, D]`, `bias` `[size, window - 1 + size]` of a block to the keys that end with
    it.
    """

    size: str
    count: str
    pads: str
    bias: str


@dataclass(frozen=True)
class Projected:
    """Queries, keys and values `[B, H, S, D]`."""

    q: str
    k: str
    v: str


def rotation(graph: Graph, positions: str, heads: Heads) -> Rotation:
    """Of int64 positions `[B, S]`; exact at any position, see `catok.modules.rope`."""
    pairs = torch.arange(heads.size // 2, dtype=torch.float32)
    frequencies = torch.exp(pairs * (-math.log(heads.max_period) * 2 / heads.size))
    step = (frequencies * (TURN / math.tau)).round().to(torch.int64).numpy()
    turned = graph("Mul", graph.unsqueeze(positions, 2), graph.constant(step))
    turned = graph("Add", turned, graph.constant(TURN // 2))
    turned = graph("Mod", turned, graph.constant(TURN))
    turned = graph("Cast", graph("Sub", turned, graph.constant(TURN // 2)), to=1)
    angles = graph("Mul", turned, graph.constant(math.tau / TURN, np.float32))
    return Rotation(graph("Cos", angles), graph("Sin", angles))


def project(graph: Graph, mixed: str, shape: str, turn: Rotation, heads: Heads) -> Projected:
    """What in_proj gave, `[N, 3 H D]`, as rotated queries and keys, and values.

    `shape` is `[B, S, 3 H, D]`, int64 `[4]`.
    """
    mixed = graph.transpose(graph("Reshape", mixed, shape), 0, 2, 1, 3)
    sizes = graph.constant([2 * heads.count, heads.count])
    qk, v = graph.many("Split", mixed, sizes, count=2, axis=1)
    qk = graph("RotaryEmbedding", qk, turn.cos, turn.sin, interleaved=1)
    q, k = graph.many("Split", qk, count=2, axis=1, num_outputs=2)
    return Projected(q, k, v)


def ring(graph: Graph, positions: str, start: str, steps: str, active: str, heads: Heads) -> Ring:
    """For steps at `positions` `[B, S]` that begin at `start` `[B, 1]`; `active` bool `[B, 1]`."""
    capacity = graph.constant(heads.ring)
    slots = np.arange(heads.ring + 1)
    newest = graph("Sub", start, graph.constant(1))
    age = graph("Mod", graph("Sub", newest, graph.constant(slots)), capacity)
    held = graph("Sub", newest, age)  # [B, R + 1]: the position in every slot
    real = graph.constant(slots < heads.ring, bool)
    held = graph.unsqueeze(graph("Where", real, held, graph.constant(-1)), 1)
    distance = graph("Sub", graph.unsqueeze(positions, 2), held)
    seen = graph(
        "And",
        graph("GreaterOrEqual", held, graph.constant(0)),
        graph("Less", distance, graph.constant(heads.window)),
    )
    new = graph("Sub", graph.unsqueeze(positions, 2), graph.unsqueeze(positions, 1))
    bias = graph("Concat", _bias(graph, seen), window_bias(graph, new, heads.window), axis=2)

    offset = graph.up_to(steps)
    kept = graph("GreaterOrEqual", offset, graph("Sub", steps, capacity))  # the last R
    kept = graph("And", graph.unsqueeze(kept, 0), active)
    slot = graph("Where", kept, graph("Mod", positions, capacity), capacity)
    slot = graph.unsqueeze(slot, 1, 3)  # [B, 1, S, 1]
    row = graph.up_to(graph.size(positions, 0))
    head = graph.constant(np.arange(heads.count).reshape(1, -1, 1, 1))
    full = graph("Concat", graph.size(positions, 0), graph.constant([heads.count]), steps,
                 graph.constant([1]), axis=0)  # fmt: skip
    parts = [graph("Expand", part, full) for part in (graph.unsqueeze(row, 1, 2, 3), head, slot)]
    return Ring(graph.unsqueeze(bias, 1), graph("Concat", *parts, axis=3))


def attend_step(
    graph: Graph,
    new: Projected,
    keys: str,
    values: str,
    where: Ring,
    heads: Heads,
    several: bool,
) -> tuple[str, Projected]:
    """Attention of new frames to a ring and to themselves: `[B, H, S, D]`, and `new` once more.

    The new frames come back by way of the result, so that they cannot be written into the ring
    before it has been read: callers may give one buffer as the old ring and the new. `several`: a
    frame of codes has more than one step here. Then keys come first in their product, which is
    what is not copied; a product with one row copies neither.
    """
    if several:
        old = graph("MatMul", keys, graph.transpose(new.q, 0, 1, 3, 2))
        old = graph.transpose(old, 0, 1, 3, 2)
    else:
        old = graph("MatMul", new.q, graph.transpose(keys, 0, 1, 3, 2))
    scores = graph(
        "Concat",
        old,
        graph("MatMul", new.q, graph.transpose(new.k, 0, 1, 3, 2)),
        axis=3,
    )
    share = graph("Softmax", graph("Add", scores, where.bias), axis=3)
    steps = graph.size(new.q, 2)
    sizes = graph("Concat", graph.constant([heads.ring + 1]), steps, axis=0)
    old_share, new_share = graph.many("Split", share, sizes, count=2, axis=3)
    mixed = graph("Add", graph("MatMul", old_share, values), graph("MatMul", new_share, new.v))
    everything = graph("Concat", mixed, new.k, new.v, axis=1)
    mixed, k, v = graph.many("Split", everything, count=3, axis=1, num_outputs=3)
    return mixed, Projected(new.q, k, v)


def blocks(graph: Graph, steps: str, heads: Heads) -> Blocks:
    """Of a recording of `steps` `[1]`."""
    one, before = graph.constant([1]), graph.constant([heads.window - 1])
    size = graph("Min", steps, graph.constant([QUERY_BLOCK]))
    count = graph("Div", graph("Sub", graph("Add", steps, size), one), size)
    missing = graph("Sub", graph("Mul", count, size), steps)
    pads = graph("Concat", graph.constant([0] * 6), missing, graph.constant([0]), axis=0)
    at = graph("Add", graph.up_to(size), before)
    of = graph.up_to(graph("Add", size, before))
    distance = graph("Sub", graph.unsqueeze(at, 1), graph.unsqueeze(of, 0))
    return Blocks(size, count, pads, window_bias(graph, distance, heads.window))


def attend_whole(graph: Graph, new: Projected, steps: str, each: Blocks, heads: Heads) -> str:
    """Attention of a whole recording: `[B, S, H D]`, in memory linear in S."""
    q, k, v = (graph("Pad", part, each.pads) for part in (new.q, new.k, new.v))

    body = graph.nested("blocks")
    index = body.input(f"{body.name}_index", np.int64, [])
    more = body.input(f"{body.name}_more", bool, [])
    start = body("Mul", body.reshape(index, 1), each.size)
    stop = body("Add", start, each.size)
    oldest = body("Sub", start, body.constant([heads.window - 1]))
    hidden = body("Min", oldest, body.constant([0]))  # minus the keys before the beginning
    oldest = body("Sub", oldest, hidden)
    seen = body.cut(k, oldest, stop, 2)
    scores = body("MatMul", body.cut(q, start, stop, 2), body.transpose(seen, 0, 1, 3, 2))
    bias = body.cut(each.bias, body("Neg", hidden), body.constant([2**31]), 1)
    share = body("Softmax", body("Add", scores, bias), axis=3)
    mixed = body("MatMul", share, body.cut(v, oldest, stop, 2))
    body.output(f"{body.name}_on", more, bool, [])
    body.output(f"{body.name}_mixed", mixed, np.float32, None)

    stacked = graph("Loop", graph.scalar(each.count), "", body=body.proto())
    joined = graph.transpose(stacked, 1, 0, 3, 2, 4)  # from [blocks, B, H, block, D]
    joined = graph.reshape(joined, 0, -1, heads.width)
    return graph.cut(joined, graph.constant([0]), steps, 1)


def window_bias(graph: Graph, distance: str, window: int) -> str:
    """0 for distances from 0 to below the window, else `HIDDEN`."""
    seen = graph(
        "And",
        graph("GreaterOrEqual", distance, graph.constant(0)),
        graph("Less", distance, graph.constant(window)),
    )
    return _bias(graph, seen)


def _bias(graph: Graph, seen: str) -> str:
    return graph("Where", seen, graph.constant(0, np.float32), graph.constant(HIDDEN, np.float32))

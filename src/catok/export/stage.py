"""Encoder and decoder as ONNX operations: patches and Transformer stages, whole or step by step.

The operations are those of `catok.modules`. Between stages values are `[B, T, D]`, inside of them
`[B * T, D]`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor, nn

from catok.export.attention import (
    Heads,
    Ring,
    Rotation,
    attend_step,
    attend_whole,
    blocks,
    project,
    ring,
    rotation,
)
from catok.export.description import LayerState
from catok.export.graph import Graph
from catok.export.linear import Precision, linear
from catok.modules.patch import Patch, Unpatch
from catok.modules.stack import CausalStack
from catok.modules.transformer import Block, LayerScale, TransformerStage

Precisions = Callable[[str], Precision]
"""From the name of a linear layer ("encoder.1.transformer.layers.0.ffn.0") to its precision."""


@dataclass
class Steps:
    """The state of a step graph: names of its inputs, of one half of a model.

    `positions` `[B]` int64, frames of codes that every row has seen; `active` `[B]` bool. `layers`
    grows as layers are written.
    """

    positions: str
    active: str
    layers: list[LayerState] = field(default_factory=list)


def heads_of(stage: TransformerStage) -> Heads:
    """What the layers of a stage share."""
    config = stage.config
    return Heads(config.heads, config.width // config.heads, stage.window, config.max_period)


def stack_graph(
    graph: Graph,
    x: str,
    stack: CausalStack,
    name: str,
    precision: Precisions,
    state: Steps | None,
) -> str:
    """`[B, T_in, D_in]` -> `[B, T_out, D_out]`: whole recordings without `state`, else a step."""
    per_frame = _steps_per_frame(stack)
    for index, stage in enumerate(stack):
        if isinstance(stage, Patch):
            x = _patch(graph, x, stage.size)
            next(per_frame)
        elif isinstance(stage, Unpatch):
            x = _unpatch(graph, x, stage.size)
            next(per_frame)
        else:
            assert isinstance(stage, TransformerStage)
            writer = _Stage(graph, x, stage, f"{name}.{index}", precision)
            x = writer.whole() if state is None else writer.step(state, next(per_frame))
    return x


def _steps_per_frame(stack: CausalStack) -> Iterator[int]:
    """For every member, how many of its outputs make one frame of codes."""
    sizes = [stage.size if isinstance(stage, Patch | Unpatch) else 1 for stage in stack]
    unfolds = any(isinstance(stage, Unpatch) for stage in stack)
    for index in range(len(sizes)):
        yield int(np.prod(sizes[: index + 1] if unfolds else sizes[index + 1 :], dtype=np.int64))


def _patch(graph: Graph, x: str, size: int) -> str:
    x = graph("Reshape", x, _joined(graph, x, size))  # [B, T / size, size, D]
    return graph.reshape(graph.transpose(x, 0, 1, 3, 2), 0, 0, -1)


def _joined(graph: Graph, x: str, size: int) -> str:
    """The shape `[B, T / size, size, D]` for x `[B, T, D]`."""
    return graph(
        "Concat",
        graph.size(x, 0),
        graph("Div", graph.size(x, 1), graph.constant([size])),
        graph.constant([size]),
        graph.size(x, 2),
        axis=0,
    )


def _unpatch(graph: Graph, x: str, size: int) -> str:
    x = graph.transpose(graph.reshape(x, 0, 0, -1, size), 0, 1, 3, 2)  # [B, T, size, D / size]
    rows = graph("Mul", graph.size(x, 1), graph.constant([size]))
    shape = graph("Concat", graph.size(x, 0), rows, graph.size(x, 3), axis=0)
    return graph("Reshape", x, shape)


class _Stage:
    """One Transformer stage."""

    def __init__(
        self, graph: Graph, x: str, stage: TransformerStage, name: str, precision: Precisions
    ) -> None:
        self._graph = graph
        self._stage = stage
        self._name = name
        self._precision = precision
        self._heads = heads_of(stage)
        self._batch, self._steps = graph.size(x, 0), graph.size(x, 1)
        by_head = graph.constant([3 * self._heads.count, self._heads.size])
        self._qkv_shape = graph("Concat", self._batch, self._steps, by_head, axis=0)
        self._x = graph.reshape(x, -1, stage.config.input_dim)

    def whole(self) -> str:
        graph, heads = self._graph, self._heads
        shape = graph("Concat", self._batch, self._steps, axis=0)
        turn = rotation(graph, graph("Expand", graph.up_to(self._steps), shape), heads)
        each = blocks(graph, self._steps, heads)

        def attention(mixed: str) -> str:
            new = project(graph, mixed, self._qkv_shape, turn, heads)
            return attend_whole(graph, new, self._steps, each, heads)

        return self._layers(attention)

    def step(self, state: Steps, per_frame: int) -> str:
        graph, heads = self._graph, self._heads
        start = graph("Mul", state.positions, graph.constant(per_frame))
        start = graph.unsqueeze(start, 1)
        positions = graph("Add", start, graph.unsqueeze(graph.up_to(self._steps), 0))
        turn = rotation(graph, positions, heads)
        active = graph.unsqueeze(state.active, 1)
        where = ring(graph, positions, start, self._steps, active, heads)
        several = per_frame > 1
        return self._layers(lambda mixed: self._attend(mixed, state, turn, where, several))

    def _attend(self, mixed: str, state: Steps, turn: Rotation, where: Ring, several: bool) -> str:
        graph, heads, index = self._graph, self._heads, len(state.layers)
        shape = ["batch", heads.count, heads.ring + 1, heads.size]
        state.layers.append(LayerState(heads.count, heads.ring + 1, heads.size))
        keys = graph.input(f"past_key_values.{index}.key", np.float32, shape)
        values = graph.input(f"past_key_values.{index}.value", np.float32, shape)
        new = project(graph, mixed, self._qkv_shape, turn, heads)
        mixed, new = attend_step(graph, new, keys, values, where, heads, several)
        for kind, old, rows in (("key", keys, new.k), ("value", values, new.v)):
            written = graph("ScatterND", old, where.places, rows)
            graph.rename_last(written, f"present.{index}.{kind}", np.float32, shape)
        return graph.transpose(mixed, 0, 2, 1, 3)

    def _layers(self, attention: Callable[[str], str]) -> str:
        graph, stage, width = self._graph, self._stage, self._heads.width
        x = self._projection(self._x, stage.input_proj, "input_proj")
        for index, block in enumerate(stage.transformer.layers):
            assert isinstance(block, Block)
            where = f"transformer.layers.{index}"
            normed = self._norm(x, block.norm1, f"{where}.norm1")
            mixed = self._linear(normed, self._qkv(block), f"{where}.self_attn.in_proj")
            mixed = graph.reshape(attention(mixed), -1, width)
            out = block.self_attn.out_proj.weight
            mixed = self._branch(mixed, out, block.layer_scale_1, f"{where}.self_attn.out_proj")
            x = graph("Add", x, mixed)
            inside, outside = block.ffn[0], block.ffn[2]
            assert isinstance(inside, nn.Linear) and isinstance(outside, nn.Linear)
            normed = self._norm(x, block.norm2, f"{where}.norm2")
            hidden = graph("Gelu", self._linear(normed, inside.weight, f"{where}.ffn.0"))
            scale = block.layer_scale_2
            x = graph("Add", x, self._branch(hidden, outside.weight, scale, f"{where}.ffn.2"))
        x = self._projection(x, stage.output_proj, "output_proj")
        out = graph.constant([stage.config.output_dim])
        return graph("Reshape", x, graph("Concat", self._batch, self._steps, out, axis=0))

    def _qkv(self, block: Block) -> Tensor:
        """The weight of in_proj, with the scale of the scores in the queries' rows."""
        weight = block.self_attn.in_proj.weight.detach().clone()
        weight[: self._heads.width] *= self._heads.size**-0.5
        return weight

    def _linear(self, x: str, weight: Tensor, where: str) -> str:
        name = f"{self._name}.{where}"
        return linear(self._graph, x, weight, f"{name}.weight", self._precision(name))

    def _projection(self, x: str, layer: nn.Module, where: str) -> str:
        return self._linear(x, layer.weight, where) if isinstance(layer, nn.Linear) else x

    def _norm(self, x: str, layer: nn.LayerNorm, where: str) -> str:
        name = f"{self._name}.{where}"
        scale = self._graph.weight(f"{name}.weight", _array(layer.weight))
        bias = self._graph.weight(f"{name}.bias", _array(layer.bias))
        return self._graph("LayerNormalization", x, scale, bias, epsilon=layer.eps)

    def _branch(self, x: str, weight: Tensor, scale: LayerScale, where: str) -> str:
        """The end of a residual branch. Its gains go into the weights, except for those in float16,
        which would leave that format's range.
        """
        gains = scale.scale.detach()
        if self._precision(f"{self._name}.{where}") != "float16":
            return self._linear(x, weight * gains[:, None], where)
        name = f"{self._name}.{where}.layer_scale"
        return self._graph(
            "Mul", self._linear(x, weight, where), self._graph.weight(name, _array(gains))
        )


def _array(parameter: Tensor) -> np.ndarray:
    return parameter.detach().float().cpu().numpy()

"""Blocks of the language model as ONNX operations: RMSNorm, grouped-query attention, SwiGLU.

The temporal and the depth transformer are made of them. Inside a stack values are `[B * T, D]`;
keys and values that a step remembers are `[B, H, P, D]` and grow by T.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from catok.export.attention import Rotation
from catok.export.graph import Graph
from catok.export.linear import Precision, linear
from catok.lm.config import LanguageConfig


@dataclass
class Cache:
    """Keys and values of the layers of one step graph: `past_key_values.N.key` and so on.

    `steps` `[1]`: T. `layers`: how many have been written.
    """

    batch: str
    steps: str
    config: LanguageConfig
    layers: int = field(default=0)

    def append(self, graph: Graph, key: str, value: str) -> tuple[str, str]:
        """The past and then the new `[B, H, T, D]`, which are what the next step is given."""
        shape: list[int | str] = ["batch", self.config.num_key_value_heads, "past",
                                  self.config.head_dim]  # fmt: skip
        joined = []
        for kind, new in (("key", key), ("value", value)):
            name = f"{self.layers}.{kind}"
            past = graph.input(f"past_key_values.{name}", np.float32, shape)
            whole = graph("Concat", past, new, axis=2)
            after: list[int | str] = [*shape[:2], "past + steps", shape[3]]
            graph.rename_last(whole, f"present.{name}", np.float32, after)
            joined.append(f"present.{name}")
        self.layers += 1
        return joined[0], joined[1]


@dataclass(frozen=True)
class LayerWriter:
    """Writes layers into a graph, with weights of one precision."""

    graph: Graph
    precision: Precision

    def linear(self, x: str, weights: Tensor | Sequence[Tensor], name: str) -> str:
        """`[N, in]` by one weight `[out, in]`, or by several at once."""
        weight = weights if isinstance(weights, Tensor) else torch.cat(list(weights))
        return linear(self.graph, x, weight, f"{name}.weight", self.precision)

    def norm(self, x: str, weight: Tensor, eps: float, name: str, scale: float = 1.0) -> str:
        """RMSNorm over the last dimension, times a scale."""
        gain = self.graph.weight(f"{name}.weight", array(weight * scale))
        return self.graph("RMSNormalization", x, gain, epsilon=eps)

    def swiglu(self, x: str, mlp: Any, name: str) -> str:
        """down(silu(gate(x)) * up(x))."""
        both = self.linear(x, [mlp.gate_proj.weight, mlp.up_proj.weight], f"{name}.gate_up_proj")
        gate, up = self.graph.many("Split", both, count=2, axis=1, num_outputs=2)
        gate = self.graph("Mul", gate, self.graph("Sigmoid", gate))
        return self.linear(self.graph("Mul", gate, up), mlp.down_proj.weight, f"{name}.down_proj")

    def table(self, name: str, weight: Tensor, rows: str) -> str:
        """Rows of an embedding; below float32 the table has 16 bits."""
        if self.precision == "float32":
            return self.graph("Gather", self.graph.weight(name, array(weight)), rows)
        narrow = self.graph.weight(name, array(weight).astype(np.float16))
        return self.graph("Cast", self.graph("Gather", narrow, rows), to=1)

    def blocks(
        self,
        x: str,
        layers: Sequence[Any],
        name: str,
        cache: Cache,
        turn: Rotation | None,
        bias: str | None,
    ) -> str:
        """Pre-norm blocks; `bias` `[B, 1, 1, T, P + T]` is added to the scores."""
        graph, eps = self.graph, cache.config.rms_norm_eps
        for index, layer in enumerate(layers):
            where = f"{name}.{index}"
            normed = self.norm(x, layer.input_layernorm.weight, eps, f"{where}.input_layernorm")
            mixed = self._attention(normed, layer.self_attn, where, cache, turn, bias)
            x = graph("Add", x, mixed)
            weight = layer.post_attention_layernorm.weight
            normed = self.norm(x, weight, eps, f"{where}.post_attention_layernorm")
            x = graph("Add", x, self.swiglu(normed, layer.mlp, f"{where}.mlp"))
        return x

    def _attention(
        self, x: str, layer: Any, where: str, cache: Cache, turn: Rotation | None, bias: str | None
    ) -> str:
        graph, config = self.graph, cache.config
        shared, size = config.num_key_value_heads, config.head_dim
        group = config.num_attention_heads // shared
        weights = [layer.q_proj.weight, layer.k_proj.weight, layer.v_proj.weight]
        qkv = self.linear(x, weights, f"{where}.self_attn.qkv_proj")
        widths = graph.constant([config.num_attention_heads * size, shared * size, shared * size])
        by_head = [
            graph.transpose(self._shaped(part, cache, [-1, size]), 0, 2, 1, 3)
            for part in graph.many("Split", qkv, widths, count=3, axis=1)
        ]
        q, k, v = by_head
        eps = config.rms_norm_eps
        q = self.norm(q, layer.q_norm.weight, eps, f"{where}.self_attn.q_norm", size**-0.5)
        k = self.norm(k, layer.k_norm.weight, eps, f"{where}.self_attn.k_norm")
        if turn is not None:
            q, k = (graph("RotaryEmbedding", part, turn.cos, turn.sin) for part in (q, k))
        k, v = cache.append(graph, k, v)
        # the queries that share a key beside each other: [B, H, group * T, D]
        scores = graph(
            "MatMul", graph.reshape(q, 0, shared, -1, size), graph.transpose(k, 0, 1, 3, 2)
        )
        if bias is not None:
            apart = graph("Concat", cache.batch, graph.constant([shared, group]), cache.steps,
                          graph.constant([-1]), axis=0)  # fmt: skip
            whole = graph("Shape", scores)
            scores = graph("Add", graph("Reshape", scores, apart), bias)
            scores = graph("Reshape", scores, whole)
        mixed = graph("MatMul", graph("Softmax", scores, axis=3), v)
        shape = graph("Concat", cache.batch, graph.constant([shared * group]), cache.steps,
                      graph.constant([size]), axis=0)  # fmt: skip
        mixed = graph.transpose(graph("Reshape", mixed, shape), 0, 2, 1, 3)
        flat = graph.reshape(mixed, -1, config.num_attention_heads * size)
        return self.linear(flat, layer.o_proj.weight, f"{where}.self_attn.o_proj")

    def _shaped(self, x: str, cache: Cache, last: list[int]) -> str:
        """`[B * T, ...]` -> `[B, T, *last]`."""
        shape = self.graph("Concat", cache.batch, cache.steps, self.graph.constant(last), axis=0)
        return self.graph("Reshape", x, shape)


def one_of(graph: Graph, index: str, options: Sequence[Callable[[Graph], str]]) -> str:
    """What `options[index]` writes, `index` `[]` int64: only that one is computed.

    A tree of If, so that none is far down.
    """
    if len(options) == 1:
        return options[0](graph)
    middle = len(options) // 2
    first = graph("Less", index, graph.constant(middle))
    bodies = []
    for half, start in ((options[:middle], 0), (options[middle:], middle)):
        body = graph.nested("choice")
        shifted = index
        if start and len(half) > 1:
            shifted = body("Sub", index, body.constant(start))
        body.output(f"{body.name}_result", one_of(body, shifted, half), np.float32, None)
        bodies.append(body.proto())
    return graph("If", first, then_branch=bodies[0], else_branch=bodies[1])


def array(tensor: Tensor) -> np.ndarray:
    """A weight as float32."""
    return tensor.detach().float().cpu().numpy()

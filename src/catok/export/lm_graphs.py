"""The graphs of a token language model: `temporal_step`, `depth_step` and `ctc`.

Names and shapes of inputs and outputs are in `docs/onnx.md`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from catok.export.attention import HIDDEN, Rotation
from catok.export.graph import Graph, WeightStore
from catok.export.linear import Precision
from catok.export.lm_blocks import Cache, LayerWriter, array, one_of
from catok.lm.asr.ctc import CTCHead
from catok.lm.heads import EPS
from catok.lm.model import TokenLM

LM_GRAPHS = ("temporal_step", "depth_step", "ctc")


def temporal_step(model: TokenLM, precision: Precision, weights: WeightStore) -> Graph:
    """The next T rows of every sequence: tokens `[B, T, 1 + k]` -> hidden `[B, T, D]`."""
    graph, config = Graph("temporal_step", weights), model.config
    writer = LayerWriter(graph, precision)
    tokens = graph.input("tokens", np.int64, ["batch", "steps", "channels"])
    mask = graph.input("attention_mask", bool, ["batch", "past + steps"])
    positions = graph.input("position_ids", np.float32, ["batch", "steps"])
    steps = graph.size(tokens, 1)
    x = graph.reshape(_embedded(writer, model, tokens), -1, config.width)
    cache = Cache(graph.size(tokens, 0), steps, config.language_config)
    qwen3: Any = model.backbone.qwen3
    x = writer.blocks(
        x,
        list(qwen3.layers),
        "temporal.layers",
        cache,
        _rotation(graph, positions, model),
        _causal_bias(graph, mask, steps),
    )
    eps = config.language_config.rms_norm_eps
    x = writer.norm(x, qwen3.norm.weight, eps, "temporal.norm")
    shape = graph("Concat", cache.batch, steps, graph.constant([-1]), axis=0)
    hidden = graph("Reshape", x, shape)
    graph.output("hidden", hidden, np.float32, ["batch", "steps", config.width])
    return graph


def depth_step(model: TokenLM, precision: Precision, weights: WeightStore) -> Graph:
    """One channel of N frames: hidden `[N, D]` or tokens `[N]` -> logits `[N, V]`."""
    graph, config = Graph("depth_step", weights), model.config
    writer = LayerWriter(graph, precision)
    channel = graph.input("channel", np.int64, [])
    hidden = graph.input("hidden", np.float32, ["batch", config.width])
    tokens = graph.input("tokens", np.int64, ["batch"])

    def of_text(body: Graph) -> str:
        return LayerWriter(body, precision).table("embedding.text", _tables(model)[0],
                                             tokens)  # fmt: skip

    def of_codes(body: Graph) -> str:
        first = body("Mul", body("Sub", channel, body.constant(2)), body.constant(_codes(model)))
        return _code_rows(LayerWriter(body, precision), model, body("Add", tokens, first))

    sources: list[Callable[[Graph], str]] = [lambda body: body("Identity", hidden), of_text]
    if config.audio_heads:
        sources.append(of_codes)
    source = graph("Min", channel, graph.constant(len(sources) - 1))
    x = writer.swiglu(one_of(graph, source, sources), model.adapter, "adapter")
    cache = Cache(graph.size(hidden, 0), graph.constant([1]), config.language_config)
    x = writer.blocks(x, list(model.depth.layers), "depth.layers", cache, None, None)
    eps = config.language_config.rms_norm_eps
    x = writer.norm(x, model.depth.norm.weight, eps, "depth.norm")
    pad = config.audio_pad_code
    heads = [
        partial(
            _head,
            x=x,
            head=head,
            name=f"heads.{number}",
            barred=pad if number else None,
            precision=precision,
        )
        for number, head in enumerate(model.heads.channels)
    ]
    graph.output("logits", one_of(graph, channel, heads), np.float32, ["batch", "tokens"])
    return graph


def ctc(head: CTCHead, weights: WeightStore) -> Graph:
    """Hidden states of frames `[B, F, D]` -> log_probs `[B, F * per_frame, V + 1]`, in float32."""
    graph = Graph("ctc", weights)
    hidden = graph.input("hidden", np.float32, ["batch", "frames", head.width])
    weight = graph.weight("ctc.weight", array(head.linear.weight.t()))
    bias = graph.weight("ctc.bias", array(head.linear.bias))
    logits = graph("Add", graph("MatMul", hidden, weight), bias)
    classes = head.vocab + 1
    logits = graph("Reshape", logits, graph("Concat", graph.size(hidden, 0),
                   graph("Mul", graph.size(hidden, 1), graph.constant([head.per_frame])),
                   graph.constant([classes]), axis=0))  # fmt: skip
    log_probs = graph("LogSoftmax", logits, axis=2)
    graph.output("log_probs", log_probs, np.float32, ["batch", "positions", classes])
    return graph


def _embedded(writer: LayerWriter, model: TokenLM, tokens: str) -> str:
    """The sum of the embeddings of all channels that are given, `[B, T, D]`."""
    graph = writer.graph
    text = graph("Gather", tokens, graph.constant(0), axis=2)
    x = writer.table("embedding.text", _tables(model)[0], text)
    codes = graph.cut(tokens, graph.constant([1]), graph.constant([2**31]), 2)
    depth = graph.size(codes, 2)
    first = graph("Mul", graph.up_to(depth), graph.constant(_codes(model)))
    rows = _code_rows(writer, model, graph("Add", codes, first))  # [B, T, k, D]
    return graph("Add", x, graph("ReduceSum", rows, graph.constant([2]), keepdims=0))


def _code_rows(writer: LayerWriter, model: TokenLM, places: str) -> str:
    """Rows of the codebooks' tables, which stand one after the other."""
    table = torch.cat(_tables(model)[1:])
    return writer.table("embedding.codes", table, places)


def _tables(model: TokenLM) -> list[Tensor]:
    """The embeddings of text and of every codebook."""
    tables: Any = model.embedding.tables
    return [each.weight for each in tables]


def _codes(model: TokenLM) -> int:
    return model.config.audio_vocab_size + 1  # with the pad code


def _rotation(graph: Graph, positions: str, model: TokenLM) -> Rotation:
    config = model.config.language_config
    pairs = torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim
    frequencies = (1.0 / config.rope_theta**pairs).numpy()
    angles = graph("Mul", graph.unsqueeze(positions, 2), graph.constant(frequencies, np.float32))
    return Rotation(graph("Cos", angles), graph("Sin", angles))


def _causal_bias(graph: Graph, mask: str, steps: str) -> str:
    """`[B, 1, 1, T, P + T]`: 0 where a row sees a real one at or before its own place."""
    total = graph.size(mask, 1)
    at = graph("Add", graph.up_to(steps), graph("Sub", total, steps))
    causal = graph("LessOrEqual", graph.unsqueeze(graph.up_to(total), 0), graph.unsqueeze(at, 1))
    seen = graph("And", graph.unsqueeze(mask, 1, 2, 3), graph.unsqueeze(causal, 0, 1, 2))
    return graph("Where", seen, graph.constant(0, np.float32), graph.constant(HIDDEN, np.float32))


def _head(
    graph: Graph, *, x: str, head: Any, name: str, barred: int | None, precision: Precision
) -> str:
    """Logits of a channel; those of the `barred` token are -inf."""
    writer = LayerWriter(graph, precision)
    normed = writer.swiglu(x, head.adapter, f"{name}.adapter")
    normed = writer.norm(normed, head.norm.weight, EPS, f"{name}.norm")
    logits = writer.linear(normed, head.linear.weight, f"{name}.linear")
    if barred is None:
        return logits
    places = np.zeros(len(head.linear.weight), np.float32)
    places[barred] = -np.inf
    return graph("Add", logits, graph.constant(places, np.float32))

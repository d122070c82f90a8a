"""The graphs of a tokenizer: `encode`, `encode_step`, `decode`, `decode_step` and `embed`.

Names and shapes of inputs and outputs are in `docs/onnx.md`.
"""

from dataclasses import dataclass

import numpy as np

from catok.export import quantizer
from catok.export.description import LayerState
from catok.export.graph import Graph, WeightStore
from catok.export.stage import Precisions, Steps, stack_graph
from catok.tokenizer.model import CodecModel

GRAPHS = {"encoder": ("encode", "encode_step"), "decoder": ("decode", "decode_step", "embed")}
"""What is made of each half of a model."""


@dataclass(frozen=True)
class Built:
    """A finished graph; `state`: of a step graph, what it remembers of every layer."""

    graph: Graph
    state: tuple[LayerState, ...] = ()


def build(name: str, model: CodecModel, precision: Precisions, weights: WeightStore) -> Built:
    """One of the graphs, by its name."""
    return {
        "encode": encode,
        "encode_step": encode_step,
        "decode": decode,
        "decode_step": decode_step,
        "embed": embed,
    }[name](model, precision, weights)


def encode(model: CodecModel, precision: Precisions, weights: WeightStore) -> Built:
    """Whole recordings: audio `[B, C, T]`, lengths `[B]` -> codes `[B, K, F]`, frame_lengths."""
    graph = Graph("encode", weights)
    audio = graph.input("audio", np.float32, ["batch", model.channels, "samples"])
    lengths = graph.input("lengths", np.int64, ["batch"])
    frame = graph.constant([model.frame_size])
    frame_lengths = graph("Add", lengths, graph.constant(model.frame_size - 1))
    frame_lengths = graph("Div", frame_lengths, graph.constant(model.frame_size))
    frames = graph("ReduceMax", frame_lengths, graph.constant([0]), keepdims=1)
    samples = graph("Mul", frames, frame)
    audio = graph.cut(audio, graph.constant([0]), samples, 2)
    missing = graph("Sub", samples, graph.size(audio, 2))
    pads = graph("Concat", graph.constant([0] * 5), missing, axis=0)
    audio = _zero_after(graph, graph("Pad", audio, pads), lengths)
    latents = stack_graph(
        graph, _interleave(graph, audio), model.side("encoder"), "encoder", precision, None
    )
    codes = quantizer.encode(graph, latents, model.quantizer)
    inside = _inside(graph, codes, frame_lengths)
    codes = graph("Where", inside, codes, graph.constant(0))
    graph.output("codes", codes, np.int64, ["batch", model.num_quantizers, "frames"])
    graph.output("frame_lengths", frame_lengths, np.int64, ["batch"])
    return Built(graph)


def encode_step(model: CodecModel, precision: Precisions, weights: WeightStore) -> Built:
    """The next n frames of streams: audio `[B, C, n * frame_size]` -> codes `[B, K, n]`."""
    graph = Graph("encode_step", weights)
    audio = graph.input("audio", np.float32, ["batch", model.channels, "samples"])
    state = _state(graph)
    side = model.side("encoder")
    latents = stack_graph(graph, _interleave(graph, audio), side, "encoder", precision, state)
    codes = quantizer.encode(graph, latents, model.quantizer)
    active = graph("Cast", graph.unsqueeze(state.active, 1, 2), to=7)
    codes = graph("Mul", codes, active)
    graph.output("codes", codes, np.int64, ["batch", model.num_quantizers, "frames"])
    _advance(graph, state, graph.size(codes, 2))
    return Built(graph, tuple(state.layers))


def decode(model: CodecModel, precision: Precisions, weights: WeightStore) -> Built:
    """Whole recordings: codes `[B, k, F]`, lengths `[B]` in samples -> audio `[B, C, T]`."""
    graph = Graph("decode", weights)
    codes = graph.input("codes", np.int64, ["batch", "codebooks", "frames"])
    lengths = graph.input("lengths", np.int64, ["batch"])
    latents = quantizer.decode(graph, codes, model.quantizer)
    waveform = stack_graph(graph, latents, model.side("decoder"), "decoder", precision, None)
    longest = graph("ReduceMax", lengths, graph.constant([0]), keepdims=1)
    audio = graph.cut(_separate(graph, waveform, model), graph.constant([0]), longest, 2)
    audio = _zero_after(graph, audio, lengths)
    graph.output("audio", audio, np.float32, ["batch", model.channels, "samples"])
    return Built(graph)


def decode_step(model: CodecModel, precision: Precisions, weights: WeightStore) -> Built:
    """The next n frames of streams: codes `[B, k, n]` -> audio `[B, C, n * frame_size]`."""
    graph = Graph("decode_step", weights)
    codes = graph.input("codes", np.int64, ["batch", "codebooks", "frames"])
    state = _state(graph)
    latents = quantizer.decode(graph, codes, model.quantizer)
    waveform = stack_graph(graph, latents, model.side("decoder"), "decoder", precision, state)
    audio = _separate(graph, waveform, model)
    active = graph("Cast", graph.unsqueeze(state.active, 1, 2), to=1)
    audio = graph("Mul", audio, active)
    graph.output("audio", audio, np.float32, ["batch", model.channels, "samples"])
    _advance(graph, state, graph.size(codes, 2))
    return Built(graph, tuple(state.layers))


def embed(model: CodecModel, precision: Precisions, weights: WeightStore) -> Built:
    """Codes `[B, k, F]` -> the latents `[B, D, F]` that the decoder hears."""
    graph = Graph("embed", weights)
    codes = graph.input("codes", np.int64, ["batch", "codebooks", "frames"])
    latents = graph.transpose(quantizer.decode(graph, codes, model.quantizer), 0, 2, 1)
    width = model.config.quantizer.input_dim
    graph.output("latents", latents, np.float32, ["batch", width, "frames"])
    return Built(graph)


def _state(graph: Graph) -> Steps:
    positions = graph.input("positions", np.int64, ["batch"])
    return Steps(positions, graph.input("active", bool, ["batch"]))


def _advance(graph: Graph, state: Steps, frames: str) -> None:
    moved = graph("Mul", graph("Cast", state.active, to=7), frames)
    positions = graph("Add", state.positions, moved)
    graph.output("new_positions", positions, np.int64, ["batch"])


def _interleave(graph: Graph, audio: str) -> str:
    """`[B, C, T]` -> `[B, T * C, 1]`."""
    return graph.reshape(graph.transpose(audio, 0, 2, 1), 0, -1, 1)


def _separate(graph: Graph, waveform: str, model: CodecModel) -> str:
    """`[B, T * C, 1]` -> `[B, C, T]`."""
    return graph.transpose(graph.reshape(waveform, 0, -1, model.channels), 0, 2, 1)


def _inside(graph: Graph, x: str, lengths: str) -> str:
    """Bool `[B, 1, T]`: where x `[B, N, T]` is before its row's end."""
    inside = graph(
        "Less", graph.unsqueeze(graph.up_to(graph.size(x, 2)), 0), graph.unsqueeze(lengths, 1)
    )
    return graph.unsqueeze(inside, 1)


def _zero_after(graph: Graph, x: str, lengths: str) -> str:
    return graph("Where", _inside(graph, x, lengths), x, graph.constant(0, np.float32))

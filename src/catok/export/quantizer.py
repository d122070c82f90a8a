"""The residual quantizer as ONNX operations, always float32 (`inference_quantizer` in PyTorch)."""

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from catok.export.graph import Graph
from catok.modules.quantizer import Quantizer
from catok.modules.residual_quantizer import ResidualQuantizer


def encode(graph: Graph, latents: str, quantizer: Quantizer) -> str:
    """Latents `[B, F, D]` -> codes `[B, K, F]`."""
    inference = _residual(quantizer).for_inference()
    books = inference.codebooks
    config = quantizer.config
    rows_of = graph.reshape(latents, -1, config.input_dim)
    residual = _affine(graph, rows_of, inference.read, inference.read_bias, "quantizer.read")
    keys = F.normalize(books.rows, dim=2) if inference.cosine else books.rows
    sizes = keys.pow(2).sum(2)
    codes = []
    for index in range(config.num_quantizers):
        name = f"quantizer.{index}"
        read = _affine(graph, residual, books.read[index], books.read_bias[index], f"{name}.read")
        queries = _normalized(graph, read) if inference.cosine else read
        own_size = graph("ReduceSumSquare", queries, graph.constant([1]), keepdims=1)
        negative = graph.weight(f"{name}.keys", _array(-2 * keys[index].t()))
        distance = graph("Add", own_size, graph("MatMul", queries, negative))
        distance = graph("Add", distance, graph.weight(f"{name}.sizes", _array(sizes[index])))
        code = graph("ArgMin", distance, axis=1, keepdims=0)
        row = graph("Gather", graph.weight(f"{name}.rows", _array(books.rows[index])), code)
        passed_on = graph("Add", read, graph("Sub", row, read))  # rounds, as in training
        write, bias = books.write[index], books.write_bias[index]
        residual = graph("Sub", residual, _affine(graph, passed_on, write, bias, f"{name}.write"))
        codes.append(graph.unsqueeze(code, 0))
    joined = graph("Concat", *codes, axis=0)  # [K, B * F]
    shape = graph(
        "Concat",
        graph.constant([config.num_quantizers]),
        graph.size(latents, 0),
        graph.size(latents, 1),
        axis=0,
    )
    return graph.transpose(graph("Reshape", joined, shape), 1, 0, 2)


def decode(graph: Graph, codes: str, quantizer: Quantizer) -> str:
    """Codes `[B, k, F]` of the first k codebooks, k from 1 to K -> latents `[B, F, D]`."""
    inference = _residual(quantizer).for_inference()
    books = inference.codebooks
    config = quantizer.config
    depth = graph.size(codes, 1)
    first = graph("Mul", graph.up_to(depth), graph.constant(config.codebook_size))
    places = graph("Add", codes, graph.unsqueeze(first, 0, 2))
    table = graph.weight("quantizer.rows", _array(books.rows.flatten(0, 1)))
    rows = graph.transpose(graph("Gather", table, places), 0, 2, 1, 3)  # [B, F, k, d]
    used = graph("Mul", depth, graph.constant([config.codebook_dim]))
    shape = graph("Concat", graph.constant([-1]), used, axis=0)
    write = graph.weight("quantizer.write", _array(books.write.transpose(1, 2).flatten(0, 1)))
    write = graph.cut(write, graph.constant([0]), used, 0)
    total = graph("MatMul", graph("Reshape", rows, shape), write)
    biases = graph.weight("quantizer.write_bias", _array(books.write_bias.cumsum(0)))
    last = graph("Sub", depth, graph.constant([1]))
    total = graph("Add", total, graph("Gather", biases, last))
    latents = _affine(graph, total, inference.write, inference.write_bias, "quantizer.latents")
    shape = graph(
        "Concat",
        graph.size(codes, 0),
        graph.size(codes, 2),
        graph.constant([config.input_dim]),
        axis=0,
    )
    return graph("Reshape", latents, shape)


def _residual(quantizer: Quantizer) -> ResidualQuantizer:
    if not isinstance(quantizer, ResidualQuantizer):
        raise ValueError(
            f"quantizers of kind {quantizer.config.kind!r} have no ONNX form: those of kind "
            '"rlfq" and "rvq" do'
        )
    return quantizer


def _affine(graph: Graph, x: str, weight: Tensor, bias: Tensor, name: str) -> str:
    product = graph("MatMul", x, graph.weight(f"{name}.weight", _array(weight.t())))
    return graph("Add", product, graph.weight(f"{name}.bias", _array(bias)))


def _normalized(graph: Graph, x: str) -> str:
    """As `torch.nn.functional.normalize` over the last dimension."""
    length = graph("ReduceL2", x, graph.constant([1]), keepdims=1)
    return graph("Div", x, graph("Max", length, graph.constant(1e-12, np.float32)))


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()

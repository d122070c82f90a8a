"""Linear maps of a graph, with weights in float32, float16, 8 or 4 bits.

Activations are `[N, D]`, a row for every time step of every recording. Quantized products take the
activations as 8-bit integers with a scale of their own for every row (and, with 4 bits, for every
block of it), never one for all: so a row's result depends neither on the batch around it nor on
how many frames a step has.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from catok.export.graph import CONTRIB, Graph

Precision = Literal["float32", "float16", "int8", "int4"]
BLOCK = 128  # weights that share a scale, with 4 bits


def linear(graph: Graph, x: str, weight: Tensor, name: str, precision: Precision) -> str:
    """`[N, in]` by a weight `[out, in]` -> `[N, out]`."""
    weight = weight.detach().to("cpu", torch.float32)
    return _FORMS[precision](graph, x, weight, name)


def _float32(graph: Graph, x: str, weight: Tensor, name: str) -> str:
    return graph("MatMul", x, graph.weight(name, weight.t().contiguous().numpy()))


def _float16(graph: Graph, x: str, weight: Tensor, name: str) -> str:
    """Stored in 16 bits, computed in 32: onnxruntime widens constants when it loads them."""
    narrow = weight.t().contiguous().half().numpy()
    return graph("MatMul", x, graph("Cast", graph.weight(name, narrow), to=1))


def _int8(graph: Graph, x: str, weight: Tensor, name: str) -> str:
    quantized, scale = quantize_int8(weight)
    peak = graph("ReduceMax", graph("Abs", x), graph.constant([1]), keepdims=0)
    row_scale = graph(
        "Mul",
        graph("Max", peak, graph.constant(1e-12, np.float32)),
        graph.constant(1 / 127, np.float32),
    )
    # unsigned with zero at 128 on both sides: of signed activations onnxruntime has no fast product
    # everywhere, and of signed weights one that saturates on processors without VNNI
    zero = graph("Expand", graph.constant(128, np.uint8), graph("Shape", row_scale))
    rows = graph("QuantizeLinear", x, row_scale, zero, axis=0)
    product = graph(
        "MatMulIntegerToFloat",
        rows,
        graph.weight(name, (quantized.int() + 128).to(torch.uint8).t().contiguous().numpy()),
        graph.constant(1, np.float32),
        graph.weight(f"{name}.scale", scale.numpy()),
        graph.constant(128, np.uint8),
        graph.constant(128, np.uint8),
        domain=CONTRIB,
    )
    return graph("Mul", product, graph.unsqueeze(row_scale, 1))


def _int4(graph: Graph, x: str, weight: Tensor, name: str) -> str:
    outside, inside = weight.shape
    quantized, scale = quantize_int4(weight)
    low, high = quantized[..., 0::2], quantized[..., 1::2]
    packed = (low + 8) | ((high + 8) << 4)
    return graph(
        "MatMulNBits",
        x,
        graph.weight(name, packed.to(torch.uint8).numpy()),
        graph.weight(f"{name}.scale", scale.numpy()),
        domain=CONTRIB,
        K=inside,
        N=outside,
        bits=4,
        block_size=BLOCK,
        accuracy_level=4,  # activations as 8-bit integers
    )


_FORMS: Mapping[Precision, Callable[[Graph, str, Tensor, str], str]] = {
    "float32": _float32,
    "float16": _float16,
    "int8": _int8,
    "int4": _int4,
}


def quantize_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """`[out, in]` -> int8 of that shape and scales `[out]`, symmetric."""
    scale = weight.abs().amax(1).clamp(min=1e-12) / 127
    return (weight / scale[:, None]).round().to(torch.int8), scale


def quantize_int4(weight: Tensor) -> tuple[Tensor, Tensor]:
    """`[out, in]` -> integers from -8 to 7 `[out, blocks, BLOCK]` and scales `[out, blocks]`.

    The last block is completed with zeros. The weight of the largest magnitude becomes -8, so that
    all 16 levels are used.
    """
    missing = -weight.shape[1] % BLOCK
    blocks = nn.functional.pad(weight, (0, missing)).unflatten(1, (-1, BLOCK))
    place = blocks.abs().argmax(2, keepdim=True)
    scale = blocks.gather(2, place) / -8
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    quantized = (blocks / scale).round().clamp(-8, 7).to(torch.int16)
    return quantized, scale.squeeze(2)


def rounded(weight: Tensor, precision: Precision) -> Tensor:
    """The weights that a product of that precision really has, as float32 `[out, in]`."""
    if precision == "float16":
        return weight.half().float()
    if precision == "int8":
        quantized, scale = quantize_int8(weight)
        return quantized * scale[:, None]
    if precision == "int4":
        quantized, scale = quantize_int4(weight)
        return (quantized * scale[..., None]).flatten(1)[:, : weight.shape[1]]
    return weight

"""Products with 8-bit weights on a CPU: torchao, compiled and not, beside onnxruntime.

    python benchmarks/int8_linear.py --rows 1 --width 1280
    python benchmarks/int8_linear.py --rows 8 --width 768

A feed-forward of four layers as in a stage of the 24khz preset. torchao is no dependency of catok:
install it (`pip install torchao`) in an environment of its own.
"""

import argparse
import copy
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import torch
from common import table
from torch import nn

from catok.export.graph import Graph
from catok.export.linear import Precision, linear
from catok.export.weights import InlineWeights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1, help="steps of a frame")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--repeat", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    width = options.width
    pairs = [(nn.Linear(width, 4 * width, bias=False), nn.GELU(),
              nn.Linear(4 * width, width, bias=False)) for _ in range(4)]  # fmt: skip
    model = nn.Sequential(*(layer for pair in pairs for layer in pair)).eval()
    x = torch.randn(options.rows, width)
    ways: dict[str, Callable[[], Any]] = {"PyTorch float32": lambda: model(x)}
    ways |= {f"torchao {name}": run for name, run in torchao_ways(model, x).items()}
    for precision in ("float32", "int8", "int4"):
        ways[f"onnxruntime {precision}"] = onnx_way(model, x, precision)
    times: dict[str, list[float]] = {name: [] for name in ways}
    with torch.inference_mode():
        for _ in range(options.repeat):  # in turn: a busy machine is busy for all of them
            for name, run in ways.items():
                start = time.process_time()
                run()
                times[name].append(1e3 * (time.process_time() - start))
    rows = [[name, median(each[5:]), min(each)] for name, each in times.items()]
    print(table(["", "CPU ms", "least"], rows))


def torchao_ways(model: nn.Module, x: torch.Tensor) -> dict[str, Callable[[], Any]]:
    """8-bit weights, alone and with 8-bit activations."""
    from torchao.quantization import (  # pyright: ignore[reportMissingImports]
        Int8DynamicActivationInt8WeightConfig,
        Int8WeightOnlyConfig,
        quantize_,
    )

    ways = {}
    for name, config in {
        "int8": Int8DynamicActivationInt8WeightConfig(),
        "int8 weights only": Int8WeightOnlyConfig(),
    }.items():
        quantized = copy.deepcopy(model)
        quantize_(quantized, config)
        compiled: Any = torch.compile(quantized)
        with torch.inference_mode():
            compiled(x)
        ways[name] = lambda net=quantized: net(x)
        ways[f"{name}, compiled"] = lambda net=compiled: net(x)
    return ways


def onnx_way(model: nn.Module, x: torch.Tensor, precision: Precision) -> Callable[[], Any]:
    """The same layers as `catok export` writes them."""
    graph = Graph("layers", InlineWeights())
    y = graph.input("x", np.float32, list(x.shape))
    for index, layer in enumerate(model.children()):
        if isinstance(layer, nn.Linear):
            y = linear(graph, y, layer.weight, f"{index}", precision)
        else:
            y = graph("Gelu", y)
    graph.output("y", y, np.float32, None)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.model({}).SerializeToString(), options)
    feeds = {"x": x.numpy()}
    return lambda: session.run(None, feeds)


if __name__ == "__main__":
    main()

"""Writing an ONNX graph operation by operation: names, constants, weights and nested graphs.

Values are handled by their names. `graph("Add", x, y)` appends an operation of ONNX's standard set
and returns the name of what it gives.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

OPSET = 23  # has RotaryEmbedding; onnxruntime knows it from 1.23 on
IR_VERSION = 11
CONTRIB = "com.microsoft"  # onnxruntime's own operations, for quantized weights only

Shape = Sequence[int | str]


class WeightStore(Protocol):
    """Where the large tensors of a graph go: into it, or into a file beside it."""

    def tensor(self, name: str, array: np.ndarray) -> TensorProto:
        """An initializer of that name."""
        ...


class Graph:
    """A graph under construction; `weights` takes its large tensors."""

    def __init__(self, name: str, weights: WeightStore, *, outer: "Graph | None" = None) -> None:
        self.name = name
        self._weights = weights
        self._outer = outer
        self._nodes: list[Any] = []
        self._tensors: list[TensorProto] = []
        self._constants: dict[Any, str] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._names: dict[str, int] = {} if outer is None else outer._names

    def __call__(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Append an operation with one output; "" stands for an input that is left out."""
        return self.many(kind, *inputs, count=1, domain=domain, **attributes)[0]

    def many(
        self, kind: str, *inputs: str, count: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Append an operation with several outputs."""
        outputs = [self._fresh(kind) for _ in range(count)]
        node = helper.make_node(
            kind, inputs, outputs, name=outputs[0], domain=domain or None, **attributes
        )
        self._nodes.append(node)
        return outputs

    def constant(self, value: Any, dtype: Any = np.int64) -> str:
        """A small constant; equal ones are kept once."""
        array = np.asarray(value, dtype=dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = self._fresh("constant")
            self._tensors.append(numpy_helper.from_array(array, name))
            self._constants[key] = name
        return self._constants[key]

    def weight(self, name: str, array: np.ndarray) -> str:
        """A weight under its own name."""
        self._tensors.append(self._weights.tensor(name, np.ascontiguousarray(array)))
        return name

    def input(self, name: str, dtype: Any, shape: Shape) -> str:
        """Declare an input of the graph; dimensions by number, or by name where they vary."""
        self._inputs.append(_value(name, dtype, shape))
        return name

    def output(self, name: str, value: str, dtype: Any, shape: Shape | None) -> None:
        """Declare an output of the graph, under `name`, to be `value`."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name=f"output {name}"))
        self._outputs.append(_value(name, dtype, shape))

    def rename_last(self, value: str, name: str, dtype: Any, shape: Shape) -> None:
        """Declare what the last operation gave to be an output, under `name`, without a copy."""
        node = self._nodes[-1]
        assert list(node.output) == [value]
        node.output[0] = name
        self._outputs.append(_value(name, dtype, shape))

    def nested(self, name: str) -> "Graph":
        """The body of a Loop; it may use every value of this graph."""
        return Graph(self._fresh(name), self._weights, outer=self)

    def proto(self) -> GraphProto:
        """The finished graph."""
        return helper.make_graph(
            self._nodes, self.name, self._inputs, self._outputs, initializer=self._tensors
        )

    def model(self, metadata: dict[str, str]) -> ModelProto:
        """The finished graph as a model."""
        model = helper.make_model(
            self.proto(),
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)],
            ir_version=IR_VERSION,
            producer_name="catok",
        )
        helper.set_model_props(model, metadata)
        return model

    # shorthands

    def reshape(self, x: str, *shape: int) -> str:
        """0 keeps a dimension, -1 is whatever is left."""
        return self("Reshape", x, self.constant(shape))

    def transpose(self, x: str, *order: int) -> str:
        return self("Transpose", x, perm=list(order))

    def size(self, x: str, axis: int) -> str:
        """The length of an axis, `[1]` int64."""
        return self("Shape", x, start=axis, end=axis + 1)

    def scalar(self, x: str) -> str:
        """`[1]` -> `[]`."""
        return self("Squeeze", x, self.constant([0]))

    def up_to(self, count: str) -> str:
        """0, 1, ... below `count` `[1]`, int64."""
        return self("Range", self.constant(0), self.scalar(count), self.constant(1))

    def cut(self, x: str, start: str, stop: str, axis: int) -> str:
        """From start to stop `[1]` along an axis."""
        return self("Slice", x, start, stop, self.constant([axis]))

    def unsqueeze(self, x: str, *axes: int) -> str:
        return self("Unsqueeze", x, self.constant(axes))

    def _fresh(self, kind: str) -> str:
        number = self._names[kind] = self._names.get(kind, -1) + 1
        return f"{kind}_{number}"


def _value(name: str, dtype: Any, shape: Shape | None) -> Any:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, None if shape is None else list(shape))

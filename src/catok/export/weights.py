"""Weights of the graphs: inside them, or in a file beside them where protobuf allows no more.

A protobuf message holds less than 2 GB. Graphs of the same half of a model (whole recordings,
steps) then share one file.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

INLINE_LIMIT = 1_900_000_000  # bytes of weights that a graph may hold itself
ALIGNMENT = 4096  # of a page, so that a tensor can be mapped


class InlineWeights:
    """Every tensor inside its graph."""

    def tensor(self, name: str, array: np.ndarray) -> TensorProto:
        """See `WeightStore`."""
        return numpy_helper.from_array(array, name)


class ExternalWeights:
    """All tensors in the file `name` of `folder`; one that was stored before is not stored again.

    A context that closes the file.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self._file = (folder / name).open("wb")
        self._places: dict[str, tuple[int, int]] = {}

    def tensor(self, name: str, array: np.ndarray) -> TensorProto:
        """See `WeightStore`."""
        if name not in self._places:
            self._file.write(bytes(-self._file.tell() % ALIGNMENT))
            self._places[name] = self._file.tell(), array.nbytes
            self._file.write(array.data)
        offset, length = self._places[name]
        proto = TensorProto(
            name=name,
            data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
            dims=array.shape,
            data_location=TensorProto.EXTERNAL,
        )
        for key, value in (("location", self._name), ("offset", offset), ("length", length)):
            proto.external_data.add(key=key, value=str(value))
        return proto

    def __enter__(self) -> "ExternalWeights":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

"""ONNX graphs of tokenizers, and their use in onnxruntime. Writing them needs the package onnx."""

from typing import TYPE_CHECKING

from catok.lazy import lazy_names

if TYPE_CHECKING:
    from catok.export.description import Description, read_description
    from catok.export.folder import export_parts, export_tokenizer
    from catok.export.plan import Plan
    from catok.export.runtime import OnnxRuntime
    from catok.export.sensitivity import LayerGroup, choose, measure
    from catok.export.state import OnnxState
    from catok.export.tokenizer import OnnxTokenizer

__all__ = [
    "Description",
    "LayerGroup",
    "OnnxRuntime",
    "OnnxState",
    "OnnxTokenizer",
    "Plan",
    "choose",
    "export_parts",
    "export_tokenizer",
    "measure",
    "read_description",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Description": "catok.export.description",
        "OnnxRuntime": "catok.export.runtime",
        "OnnxState": "catok.export.state",
        "OnnxTokenizer": "catok.export.tokenizer",
        "LayerGroup": "catok.export.sensitivity",
        "Plan": "catok.export.plan",
        "choose": "catok.export.sensitivity",
        "export_parts": "catok.export.folder",
        "export_tokenizer": "catok.export.folder",
        "measure": "catok.export.sensitivity",
        "read_description": "catok.export.description",
    },
)

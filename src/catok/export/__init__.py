"""ONNX graphs of tokenizers, and their use in onnxruntime. Writing them needs the package onnx."""

from typing import TYPE_CHECKING

from catok.lazy import lazy_names

if TYPE_CHECKING:
    from catok.export.description import Description, read_description
    from catok.export.folder import Plan, export_parts, export_tokenizer
    from catok.export.runtime import OnnxRuntime
    from catok.export.state import OnnxState
    from catok.export.tokenizer import OnnxTokenizer

__all__ = [
    "Description",
    "OnnxRuntime",
    "OnnxState",
    "OnnxTokenizer",
    "Plan",
    "export_parts",
    "export_tokenizer",
    "read_description",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Description": "catok.export.description",
        "OnnxRuntime": "catok.export.runtime",
        "OnnxState": "catok.export.state",
        "OnnxTokenizer": "catok.export.tokenizer",
        "Plan": "catok.export.folder",
        "export_parts": "catok.export.folder",
        "export_tokenizer": "catok.export.folder",
        "read_description": "catok.export.description",
    },
)

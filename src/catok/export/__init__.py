"""ONNX graphs of tokenizers and speech models, and their use in onnxruntime.

Writing them needs the package onnx.
"""

from typing import TYPE_CHECKING

from catok.lazy import lazy_names

if TYPE_CHECKING:
    from catok.export.description import Description, read_description
    from catok.export.folder import export_parts, export_tokenizer
    from catok.export.lm_runtime import OnnxLMRuntime
    from catok.export.plan import Plan
    from catok.export.runtime import OnnxRuntime
    from catok.export.sensitivity import LayerGroup, choose, measure
    from catok.export.speech_folder import export_speech_model
    from catok.export.state import OnnxState
    from catok.export.token_lm import OnnxTokenLM
    from catok.export.tokenizer import OnnxTokenizer

__all__ = [
    "Description",
    "LayerGroup",
    "OnnxLMRuntime",
    "OnnxRuntime",
    "OnnxState",
    "OnnxTokenLM",
    "OnnxTokenizer",
    "Plan",
    "choose",
    "export_parts",
    "export_speech_model",
    "export_tokenizer",
    "measure",
    "read_description",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Description": "catok.export.description",
        "OnnxLMRuntime": "catok.export.lm_runtime",
        "OnnxRuntime": "catok.export.runtime",
        "OnnxState": "catok.export.state",
        "OnnxTokenLM": "catok.export.token_lm",
        "OnnxTokenizer": "catok.export.tokenizer",
        "LayerGroup": "catok.export.sensitivity",
        "Plan": "catok.export.plan",
        "choose": "catok.export.sensitivity",
        "export_parts": "catok.export.folder",
        "export_speech_model": "catok.export.speech_folder",
        "export_tokenizer": "catok.export.folder",
        "measure": "catok.export.sensitivity",
        "read_description": "catok.export.description",
    },
)

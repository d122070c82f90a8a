"""Implementations of a tokenizer besides PyTorch's, by name.

They are known by name only, and imported when one is asked for: rooms to the right of this one
define them.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from catok.tokenizer.interface import AudioTokenizer

_HOMES = {"onnx": ("catok.export", "OnnxTokenizer")}


def load_with(backend: str, folder: Path, **options: Any) -> AudioTokenizer:
    """The tokenizer in a folder, as the backend of that name runs it. ValueError if it cannot."""
    if backend not in _HOMES:
        raise ValueError(f"backend must be one of {['torch', *_HOMES]}, got {backend!r}")
    module, name = _HOMES[backend]
    kind = getattr(import_module(module), name)
    loaded: AudioTokenizer = kind(folder, **options)
    return loaded

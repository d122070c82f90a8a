"""Implementations of the language model besides PyTorch's, by name.

They are known by name only, and imported when one is asked for: rooms to the right of this one
define them.
"""

from importlib import import_module
from pathlib import Path

from catok.lm.asr.ctc import BaseCTCHead
from catok.lm.interface import BaseTokenLM

_HOMES = {"onnx": "catok.export.token_lm"}


def load_language_model(
    backend: str, folder: Path, threads: int | None
) -> tuple[BaseTokenLM, BaseCTCHead | None]:
    """The language model in a folder and its CTC head, if it has one, as that backend runs them.

    Raises ValueError where it cannot.
    """
    if backend not in _HOMES:
        raise ValueError(f"backend must be one of {['torch', *_HOMES]}, got {backend!r}")
    return import_module(_HOMES[backend]).load_language_model(folder, threads=threads)

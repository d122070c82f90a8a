"""Speech recognition with a token language model.

The names below are imported when they are first used: transformers is slow to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catok.lm.asr.config import DecodingConfig
    from catok.lm.asr.recognizer import Recognizer
    from catok.lm.asr.transcript import Partial, Transcript
    from catok.lm.asr.words import Word

__all__ = ["DecodingConfig", "Partial", "Recognizer", "Transcript", "Word"]

_HOME = {
    "DecodingConfig": "config",
    "Partial": "transcript",
    "Recognizer": "recognizer",
    "Transcript": "transcript",
    "Word": "words",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'catok.lm.asr' has no attribute {name!r}")
    return getattr(import_module(f"catok.lm.asr.{_HOME[name]}"), name)

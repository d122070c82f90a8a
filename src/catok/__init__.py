"""catok: the open Causal Audio Tokenizer (CAT).

The names below are imported when they are first used, so that `catok --help` need not wait for
PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catok.audio import load_audio, save_audio
    from catok.codes import Encoded
    from catok.tokenizer.config import TokenizerConfig
    from catok.tokenizer.tokenizer import CausalAudioTokenizer

__version__ = "0.1.0"
__all__ = ["CausalAudioTokenizer", "Encoded", "TokenizerConfig", "load_audio", "save_audio"]

_HOME = {
    "CausalAudioTokenizer": "catok.tokenizer.tokenizer",
    "Encoded": "catok.codes",
    "TokenizerConfig": "catok.tokenizer.config",
    "load_audio": "catok.audio",
    "save_audio": "catok.audio",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'catok' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

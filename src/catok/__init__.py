"""catok: the open Causal Audio Tokenizer (CAT).

The names below are imported when they are first used, so that `catok --help` need not wait for
PyTorch.
"""

from typing import TYPE_CHECKING

from catok.lazy import lazy_names

if TYPE_CHECKING:
    from catok.audio import load_audio, save_audio
    from catok.codes import Encoded
    from catok.modules.quantizer import Quantized, Quantizer, register_quantizer
    from catok.tokenizer.config import TokenizerConfig
    from catok.tokenizer.files import decode_file, encode_file, roundtrip_file
    from catok.tokenizer.tokenizer import CausalAudioTokenizer

__version__ = "0.1.0"
__all__ = [
    "CausalAudioTokenizer",
    "Encoded",
    "Quantized",
    "Quantizer",
    "TokenizerConfig",
    "decode_file",
    "encode_file",
    "load_audio",
    "register_quantizer",
    "roundtrip_file",
    "save_audio",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "CausalAudioTokenizer": "catok.tokenizer.tokenizer",
        "Encoded": "catok.codes",
        "Quantized": "catok.modules.quantizer",
        "Quantizer": "catok.modules.quantizer",
        "TokenizerConfig": "catok.tokenizer.config",
        "decode_file": "catok.tokenizer.files",
        "encode_file": "catok.tokenizer.files",
        "load_audio": "catok.audio",
        "register_quantizer": "catok.modules.quantizer",
        "roundtrip_file": "catok.tokenizer.files",
        "save_audio": "catok.audio",
    },
)

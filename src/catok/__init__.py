"""catok: the open Causal Audio Tokenizer (CAT)."""

from catok.audio import load_audio, save_audio
from catok.codes import Encoded
from catok.tokenizer.config import TokenizerConfig
from catok.tokenizer.tokenizer import CausalAudioTokenizer

__version__ = "0.1.0"
__all__ = ["CausalAudioTokenizer", "Encoded", "TokenizerConfig", "load_audio", "save_audio"]

"""The models that a server has in memory, each part once."""

from dataclasses import dataclass

import torch

from catok.io.hub import find_folder
from catok.lm.asr.recognizer import Recognizer
from catok.lm.speech_config import SpeechConfig
from catok.lm.tts.synthesizer import Synthesizer
from catok.serving.config import ServerConfig
from catok.tokenizer.tokenizer import CausalAudioTokenizer


@dataclass(frozen=True)
class Models:
    """An audio tokenizer, and who speaks and who writes down, where there are such.

    `names`: what clients call them.
    """

    tokenizer: CausalAudioTokenizer
    synthesizer: Synthesizer | None = None
    recognizer: Recognizer | None = None
    names: tuple[str, ...] = ()

    @property
    def tokenizers(self) -> list[CausalAudioTokenizer]:
        """All audio tokenizers, each once."""
        parts = (self.synthesizer, self.recognizer)
        tokenizers = [self.tokenizer, *(part.tokenizer for part in parts if part is not None)]
        return list({id(each): each for each in tokenizers}.values())


def load_models(config: ServerConfig, device: str | torch.device) -> Models:
    """The models that a configuration names. Raises ValueError as `from_pretrained` does."""
    dtype = getattr(torch, config.dtype)
    tokenizer = CausalAudioTokenizer.from_pretrained(config.tokenizer, device=device)

    def shared(name: str, asked: str) -> CausalAudioTokenizer | str | None:
        speech = SpeechConfig.load(find_folder(name))
        wanted = asked or (speech.tokenizer if speech is not None else "")
        return tokenizer if wanted == config.tokenizer else asked or None

    synthesizer = recognizer = None
    if config.tts:
        given = shared(config.tts, config.tts_tokenizer)
        synthesizer = Synthesizer.from_pretrained(
            config.tts, tokenizer=given, device=device, dtype=dtype
        )
    if config.asr:
        given = shared(config.asr, "")
        recognizer = Recognizer.from_pretrained(
            config.asr, tokenizer=given, device=device, dtype=dtype
        )
    names = (config.tokenizer, config.tts, config.asr)
    return Models(tokenizer, synthesizer, recognizer, tuple(name for name in names if name))

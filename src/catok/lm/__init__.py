"""Token language models: speech synthesis and recognition on the tokens."""

from typing import TYPE_CHECKING

from catok.lazy import lazy_names

if TYPE_CHECKING:
    from catok.lm.asr.decoding_config import DecodingConfig
    from catok.lm.asr.recognizer import Recognizer
    from catok.lm.asr.segments import Segment, join_segments
    from catok.lm.asr.transcript import Transcript
    from catok.lm.config import TokenLMConfig
    from catok.lm.model import TokenLM
    from catok.lm.sampling import SamplingConfig
    from catok.lm.speech_config import SpeechConfig
    from catok.lm.speech_model import SpeechModel, load_speech_model
    from catok.lm.text import ByteTokenizer
    from catok.lm.tts.best_of_n import BestOfN
    from catok.lm.tts.request import SpeechRequest
    from catok.lm.tts.speech import Speech
    from catok.lm.tts.synthesizer import Synthesizer
    from catok.lm.tts.verbalization import verbalize

__all__ = [
    "BestOfN",
    "ByteTokenizer",
    "DecodingConfig",
    "Recognizer",
    "SamplingConfig",
    "Segment",
    "Speech",
    "SpeechConfig",
    "SpeechModel",
    "SpeechRequest",
    "Synthesizer",
    "TokenLM",
    "TokenLMConfig",
    "Transcript",
    "join_segments",
    "load_speech_model",
    "verbalize",
]

__getattr__, __dir__ = lazy_names(
    "catok.lm",
    {
        "BestOfN": "catok.lm.tts.best_of_n",
        "ByteTokenizer": "catok.lm.text",
        "DecodingConfig": "catok.lm.asr.decoding_config",
        "Recognizer": "catok.lm.asr.recognizer",
        "Segment": "catok.lm.asr.segments",
        "SamplingConfig": "catok.lm.sampling",
        "Speech": "catok.lm.tts.speech",
        "SpeechConfig": "catok.lm.speech_config",
        "SpeechModel": "catok.lm.speech_model",
        "SpeechRequest": "catok.lm.tts.request",
        "Synthesizer": "catok.lm.tts.synthesizer",
        "TokenLM": "catok.lm.model",
        "TokenLMConfig": "catok.lm.config",
        "Transcript": "catok.lm.asr.transcript",
        "join_segments": "catok.lm.asr.segments",
        "load_speech_model": "catok.lm.speech_model",
        "verbalize": "catok.lm.tts.verbalization",
    },
)

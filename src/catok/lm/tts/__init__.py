"""Speech synthesis with a token language model."""

from catok.lm.tts.request import SpeechRequest
from catok.lm.tts.speech import Speech
from catok.lm.tts.synthesizer import Synthesizer

__all__ = ["Speech", "SpeechRequest", "Synthesizer"]

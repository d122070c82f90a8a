"""catok's tokenizers as classes of transformers. Importing this module registers them.

    import catok.hf
    model = AutoModelForAudioTokenization.from_pretrained(folder)
    extractor = AutoFeatureExtractor.from_pretrained(folder)

Signatures and outputs are those of the native MOSS-Audio-Tokenizer class that is proposed for
transformers, for every variant: mono, stereo, Nano, v2 and our own.
"""

from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForAudioTokenization,
    AutoModelForTextToWaveform,
    AutoProcessor,
    AutoTokenizer,
)

from catok.hf.configuration import CatokConfig
from catok.hf.feature_extractor import CatokFeatureExtractor
from catok.hf.model import CatokCache, CatokModel
from catok.hf.outputs import CatokDecoderOutput, CatokEncoderOutput, CatokOutput
from catok.hf.processor import CatokTTSProcessor
from catok.hf.speech_configuration import CatokSpeechConfig
from catok.hf.speech_model import CatokForTextToSpeech, CatokTTSOutput
from catok.hf.text_tokenizer import CatokTextTokenizer

__all__ = [
    "CatokCache",
    "CatokConfig",
    "CatokDecoderOutput",
    "CatokEncoderOutput",
    "CatokFeatureExtractor",
    "CatokForTextToSpeech",
    "CatokModel",
    "CatokOutput",
    "CatokSpeechConfig",
    "CatokTTSOutput",
    "CatokTTSProcessor",
    "CatokTextTokenizer",
]

AutoConfig.register(CatokConfig.model_type, CatokConfig, exist_ok=True)
AutoModel.register(CatokConfig, CatokModel, exist_ok=True)
AutoModelForAudioTokenization.register(CatokConfig, CatokModel, exist_ok=True)
AutoFeatureExtractor.register(CatokConfig, CatokFeatureExtractor, exist_ok=True)

AutoConfig.register(CatokSpeechConfig.model_type, CatokSpeechConfig, exist_ok=True)
AutoModelForTextToWaveform.register(CatokSpeechConfig, CatokForTextToSpeech, exist_ok=True)
AutoProcessor.register(CatokSpeechConfig, CatokTTSProcessor, exist_ok=True)
AutoTokenizer.register(CatokSpeechConfig, CatokTextTokenizer, exist_ok=True)

"""catok's tokenizers as classes of transformers. Importing this module registers them.

    import catok.hf
    model = AutoModelForAudioTokenization.from_pretrained(folder)
    extractor = AutoFeatureExtractor.from_pretrained(folder)

Signatures and outputs are those of the native MOSS-Audio-Tokenizer class that is proposed for
transformers, for every variant: mono, stereo, Nano, v2 and our own.
"""

from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForAudioTokenization

from catok.hf.configuration import CatokConfig
from catok.hf.feature_extractor import CatokFeatureExtractor
from catok.hf.model import (
    CatokCache,
    CatokDecoderOutput,
    CatokEncoderOutput,
    CatokModel,
    CatokOutput,
)

__all__ = [
    "CatokCache",
    "CatokConfig",
    "CatokDecoderOutput",
    "CatokEncoderOutput",
    "CatokFeatureExtractor",
    "CatokModel",
    "CatokOutput",
]

AutoConfig.register(CatokConfig.model_type, CatokConfig, exist_ok=True)
AutoModel.register(CatokConfig, CatokModel, exist_ok=True)
AutoModelForAudioTokenization.register(CatokConfig, CatokModel, exist_ok=True)
AutoFeatureExtractor.register(CatokConfig, CatokFeatureExtractor, exist_ok=True)

"""Speech recognition with a token language model.

The names below are imported when they are first used: transformers is slow to import.
"""

from typing import TYPE_CHECKING

from catok.lazy import lazy_names

if TYPE_CHECKING:
    from catok.lm.asr.decoding_config import DecodingConfig
    from catok.lm.asr.recognizer import Recognizer
    from catok.lm.asr.segments import Segment, join_segments
    from catok.lm.asr.transcript import Partial, Transcript, Word

__all__ = [
    "DecodingConfig",
    "Partial",
    "Recognizer",
    "Segment",
    "Transcript",
    "Word",
    "join_segments",
]

__getattr__, __dir__ = lazy_names(
    "catok.lm.asr",
    {
        "DecodingConfig": "catok.lm.asr.decoding_config",
        "Partial": "catok.lm.asr.transcript",
        "Recognizer": "catok.lm.asr.recognizer",
        "Segment": "catok.lm.asr.segments",
        "Transcript": "catok.lm.asr.transcript",
        "Word": "catok.lm.asr.transcript",
        "join_segments": "catok.lm.asr.segments",
    },
)

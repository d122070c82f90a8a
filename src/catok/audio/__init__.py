"""Audio files: read, write, convert on the way. Nothing else in catok touches audio files.

Audio is float32 `[C, T]`, full scale [-1, 1]. Resampling T samples gives exactly
ceil(T * new rate / old rate), so that nothing is lost at the end.
"""

from catok.audio.mixing import Downmix, mix
from catok.audio.reading import (
    AudioInfo,
    audio_info,
    load_audio,
    load_crop,
    read_blocks,
)
from catok.audio.resampling import resample
from catok.audio.warned import AudioWarning, audio_warnings
from catok.audio.writing import AudioWriter, save_audio

__all__ = [
    "AudioInfo",
    "AudioWarning",
    "AudioWriter",
    "Downmix",
    "audio_info",
    "audio_warnings",
    "load_audio",
    "load_crop",
    "mix",
    "read_blocks",
    "resample",
    "save_audio",
]

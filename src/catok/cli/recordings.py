"""What commands say of recordings: bitrates, conversions, seconds of audio."""

import math
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from catok.audio import audio_info
from catok.cli.files import FilePlan
from catok.io.cat_file import read_header
from catok.tokenizer.interface import AudioTokenizer


def bitrate(tok: AudioTokenizer, num_quantizers: int) -> str:
    """Codebooks and bitrate of codes, for a summary."""
    rate = num_quantizers * math.log2(tok.codebook_size) * tok.frame_rate
    plural = "" if num_quantizers == 1 else "s"
    return f"{num_quantizers} codebook{plural} at {rate / 1000:.3g} kbit/s"


def conversion_note(tok: AudioTokenizer, source: Path | BinaryIO, name: str) -> str:
    """How the audio of a file differs from the model's, or nothing."""
    info = audio_info(source)
    if (info.sample_rate, info.channels) == (tok.sample_rate, tok.channels):
        return ""
    return (
        f"{name} has {info.sample_rate} Hz and {info.channels} channel(s): converted to the "
        f"model's {tok.sample_rate} Hz and {tok.channels}"
    )


def audio_seconds(plan: FilePlan) -> float:
    """Length of all audio inputs; those that cannot be read count nothing."""
    total = 0.0
    for job in plan.jobs:
        with suppress(ValueError, OSError):
            total += audio_info(job.source).seconds
    return total


def cat_seconds(plan: FilePlan) -> float:
    """Length of all `.cat` inputs; those that cannot be read count nothing."""
    total = 0.0
    for job in plan.jobs:
        with suppress(ValueError, OSError):
            total += read_header(job.source).seconds
        if not isinstance(job.source, Path):
            job.source.seek(0)
    return total

"""Recordings through a model block by block, so that length costs no memory."""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from catok.audio import AudioWriter, Downmix, audio_info, read_blocks
from catok.cli.files import Plan
from catok.cli.progress import Progress
from catok.codes import Encoded
from catok.io.cat_file import read_header
from catok.tokenizer.tokenizer import CausalAudioTokenizer

BLOCK_SECONDS = 10.0


@dataclass(frozen=True)
class Mixing:
    """Which channels of a recording are used, from 0 (None: all), and how they are mixed."""

    select: tuple[int, ...] | None = None
    downmix: Downmix = "itu"


def encode_recording(
    tok: CausalAudioTokenizer,
    source: Path | BinaryIO,
    num_quantizers: int | None,
    progress: Progress,
    mixing: Mixing = Mixing(),
) -> Encoded:
    """What `tok.encode` gives for the whole file, converted to the model's rate and channels."""
    session = tok.stream_encoder(num_quantizers=num_quantizers)
    codes = []
    for block in _blocks(tok, source, mixing):
        codes.append(session.push(block).cpu())
        progress.advance(block.shape[1] / tok.sample_rate)
    samples = session.samples
    codes.append(session.flush().cpu())
    return tok.encoded(torch.cat(codes, dim=2), torch.tensor([samples]))


def decode_recording(
    tok: CausalAudioTokenizer,
    encoded: Encoded,
    target: Path | BinaryIO,
    progress: Progress,
) -> None:
    """Write what `tok.decode` gives for one recording. Raises ValueError as it does."""
    tok.check_code_space(encoded)
    session = tok.stream_decoder(samples=int(encoded.sample_lengths))
    frames = max(1, round(BLOCK_SECONDS * tok.frame_rate))
    with AudioWriter(target, tok.sample_rate, tok.channels) as writer:
        for block in encoded.codes.split(frames, dim=2):
            audio = session.push(block)[0]
            writer.write(audio)
            progress.advance(audio.shape[1] / tok.sample_rate)


def reconstructed(
    tok: CausalAudioTokenizer,
    source: Path | BinaryIO,
    num_quantizers: int | None,
    progress: Progress,
    mixing: Mixing = Mixing(),
) -> Iterator[Tensor]:
    """Encode and decode at once: blocks of audio `[C, n]`, together as long as the recording."""
    encoder = tok.stream_encoder(num_quantizers=num_quantizers)
    decoder = tok.stream_decoder()
    for block in _blocks(tok, source, mixing):
        yield decoder.push(encoder.push(block))[0]
        progress.advance(block.shape[1] / tok.sample_rate)
    left = encoder.samples - decoder.samples
    yield decoder.push(encoder.flush())[0, :, :left]


def _blocks(tok: CausalAudioTokenizer, source: Path | BinaryIO, mixing: Mixing) -> Iterator[Tensor]:
    return read_blocks(
        source,
        tok.sample_rate,
        tok.channels,
        BLOCK_SECONDS,
        downmix=mixing.downmix,
        select=mixing.select,
    )


def bitrate(tok: CausalAudioTokenizer, num_quantizers: int) -> str:
    """Codebooks and bitrate of codes, for a summary."""
    rate = num_quantizers * math.log2(tok.codebook_size) * tok.frame_rate
    plural = "" if num_quantizers == 1 else "s"
    return f"{num_quantizers} codebook{plural} at {rate / 1000:.3g} kbit/s"


def conversion_note(tok: CausalAudioTokenizer, source: Path | BinaryIO, name: str) -> str:
    """How the audio of a file differs from the model's, or nothing."""
    info = audio_info(source)
    if (info.sample_rate, info.channels) == (tok.sample_rate, tok.channels):
        return ""
    return (
        f"{name} has {info.sample_rate} Hz and {info.channels} channel(s): converted to the "
        f"model's {tok.sample_rate} Hz and {tok.channels}"
    )


def audio_seconds(plan: Plan) -> float:
    """Length of all audio inputs; those that cannot be read count nothing."""
    total = 0.0
    for job in plan.jobs:
        with suppress(ValueError, OSError):
            total += audio_info(job.source).seconds
    return total


def cat_seconds(plan: Plan) -> float:
    """Length of all `.cat` inputs; those that cannot be read count nothing."""
    total = 0.0
    for job in plan.jobs:
        with suppress(ValueError, OSError):
            total += read_header(job.source).seconds
        if not isinstance(job.source, Path):
            job.source.seek(0)
    return total

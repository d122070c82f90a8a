"""Audio files of any length to `.cat` files and back, block by block, in bounded memory."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import torch
from torch import Tensor

from catok.audio import AudioWriter, Downmix, audio_info, load_crop, read_blocks
from catok.codes import Encoded
from catok.io.files import StrPath, name_of
from catok.io.numbers import check_number
from catok.tokenizer.interface import AudioTokenizer

BLOCK_SECONDS = 10.0


def encode_file(
    tokenizer: AudioTokenizer,
    source: StrPath | BinaryIO,
    target: StrPath | BinaryIO | None = None,
    *,
    num_quantizers: int | None = None,
    offset: float | None = None,
    duration: float | None = None,
    downmix: Downmix = "itu",
    select: Sequence[int] | None = None,
    report: Callable[[float], None] = lambda seconds: None,
) -> Encoded:
    """Encode an audio file of any format, sample rate and length.

    Returns what `tokenizer.encode` gives for the whole recording, on the CPU, and writes it to the
    `.cat` file `target`, if one is named. Only codes grow with the length: 3.2 kB per second with
    32 codebooks at 12.5 frames per second. `offset` and `duration` in seconds: encode only that
    part, which is held in memory. `downmix` and `select` as in `load_audio`. `report` is called
    with the seconds of every block when it is encoded.

    Raises ValueError where the file cannot be read or converted (see `load_audio`), where nothing
    lies at `offset`, and for a `num_quantizers` that the model does not have.
    """
    _check_apart(source, target)
    blocks = _read(tokenizer, source, offset, duration, downmix, select)
    session = tokenizer.stream_encoder(num_quantizers=num_quantizers)
    codes = []
    for block in blocks:
        codes.append(session.push(block).cpu())
        report(block.shape[1] / tokenizer.sample_rate)
    codes.append(session.flush().cpu())
    encoded = tokenizer.encoded(torch.cat(codes, dim=2), session.sample_lengths)
    if target is not None:
        encoded.save(target)
    return encoded


def decode_file(
    tokenizer: AudioTokenizer,
    source: StrPath | BinaryIO | Encoded,
    target: StrPath | BinaryIO,
    *,
    num_quantizers: int | None = None,
    report: Callable[[float], None] = lambda seconds: None,
) -> None:
    """Decode a `.cat` file, or a batch of one row, into an audio file.

    Writes what `tokenizer.decode` gives, in the format that the suffix of `target` says (none:
    WAV). `num_quantizers`: of the codebooks use the first only. `report` is called with the
    seconds of every block when it is written.

    Raises ValueError where the file cannot be read, on codes of another model (see `decode`), on a
    batch of several rows, and where `target` cannot be written (see `save_audio`).
    """
    _check_apart(source, target)
    if isinstance(source, Encoded):
        encoded = source if num_quantizers is None else source.prefix(num_quantizers)
    else:
        encoded = Encoded.load(source, num_quantizers)
    if encoded.batch_size != 1:
        raise ValueError(
            f"a file holds one recording, these codes have {encoded.batch_size} rows: decode them "
            "one by one, as `for row in encoded.rows()`"
        )
    tokenizer.check_code_space(encoded)
    session = tokenizer.stream_decoder(samples=int(encoded.sample_lengths))
    frames = max(1, round(BLOCK_SECONDS * tokenizer.frame_rate))
    with AudioWriter(target, tokenizer.sample_rate, tokenizer.channels) as writer:
        for block in encoded.codes.split(frames, dim=2):
            audio = session.push(block)[0]
            writer.write(audio)
            report(audio.shape[1] / tokenizer.sample_rate)


def roundtrip_file(
    tokenizer: AudioTokenizer,
    source: StrPath | BinaryIO,
    target: StrPath | BinaryIO,
    *,
    num_quantizers: int | None = None,
    downmix: Downmix = "itu",
    select: Sequence[int] | None = None,
    report: Callable[[float], None] = lambda seconds: None,
) -> float:
    """Encode and decode an audio file at once; returns its length in seconds.

    `target` is what `decode_file` writes for the codes of `encode_file`; arguments and errors are
    theirs.
    """
    _check_apart(source, target)
    blocks = _read(tokenizer, source, None, None, downmix, select)
    encoder = tokenizer.stream_encoder(num_quantizers=num_quantizers)
    decoder = tokenizer.stream_decoder()
    with AudioWriter(target, tokenizer.sample_rate, tokenizer.channels) as writer:
        for block in blocks:
            writer.write(decoder.push(encoder.push(block))[0])
            report(block.shape[1] / tokenizer.sample_rate)
        writer.write(decoder.push(encoder.flush(), samples=encoder.samples)[0])
    return encoder.samples / tokenizer.sample_rate


def _check_apart(source: object, target: object) -> None:
    """Raises ValueError where the target is the source: the recording would be lost."""
    paths = [
        os.path.realpath(each) for each in (source, target) if isinstance(each, str | os.PathLike)
    ]
    if len(paths) == 2 and paths[0] == paths[1]:
        raise ValueError(f"{target} is the source and would be replaced: choose another target")


def _read(
    tokenizer: AudioTokenizer,
    source: StrPath | BinaryIO,
    offset: float | None,
    duration: float | None,
    downmix: Downmix,
    select: Sequence[int] | None,
) -> Iterator[Tensor]:
    """The recording, or a part of it, at the model's rate and channels: blocks `[C, n]`."""
    rate, channels = tokenizer.sample_rate, tokenizer.channels
    if offset is None and duration is None:
        return read_blocks(source, rate, channels, BLOCK_SECONDS, downmix=downmix, select=select)
    offset = 0.0 if offset is None else offset
    check_number("offset", offset, at_least=0)
    if duration is not None:
        check_number("duration", duration, above=0)
    left = audio_info(source).seconds - offset
    seconds = left if duration is None else min(duration, left)
    if left <= 0:
        raise ValueError(f"{name_of(source)} ends before {offset:g} s: check the offset")
    crop = load_crop(
        source,
        offset,
        seconds,
        sample_rate=rate,
        channels=channels,
        downmix=downmix,
        select=select,
    )
    return iter([crop])

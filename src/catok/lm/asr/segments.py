"""Long recordings in bounded memory: cut as they are read, recognised a few pieces at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from catok.lm.asr.config import DecodingConfig
from catok.lm.asr.segmentation import LoudnessMeter
from catok.lm.asr.transcript import Transcript, join_transcripts

if TYPE_CHECKING:
    from catok.lm.asr.recognizer import Recognizer


@dataclass(frozen=True)
class Segment:
    """A piece of a recording, from `start` to `end` in seconds; times of its words are its own."""

    start: float
    end: float
    transcript: Transcript


def join_segments(segments: Iterable[Segment]) -> Transcript:
    """The transcript of the recording that the segments are of, in order."""
    pieces = list(segments)
    return join_transcripts([each.transcript for each in pieces], [each.start for each in pieces])


class Piece(NamedTuple):
    """Codes `[K, F]` of a piece of a recording, and where it stands, in seconds."""

    start: float
    end: float
    codes: Tensor


def cut_stream(
    recognizer: "Recognizer", blocks: Iterable[Tensor], config: DecodingConfig
) -> Iterator[Piece]:
    """Audio `[C, n]` block by block -> the pieces of the whole recording, each once it is known.

    Raises ValueError where there is no audio.
    """
    tokenizer = recognizer.tokenizer
    rate = tokenizer.frame_rate
    encoder = tokenizer.stream_encoder(num_quantizers=recognizer.depth(config))
    meter = LoudnessMeter(tokenizer.channels, tokenizer.frame_size)
    codes = torch.zeros(recognizer.depth(config), 0, dtype=torch.int64, device="cpu")
    loudness, first = meter.empty, 0
    for block in blocks:
        codes = torch.cat([codes, encoder.push(block)[0].cpu()], dim=1)
        loudness = torch.cat([loudness, meter.push(block)])
        *known, (rest, _) = recognizer.pieces(codes.shape[1], loudness, config)
        for start, end in known:
            yield Piece((first + start) / rate, (first + end) / rate, codes[:, start:end])
        codes, loudness, first = codes[:, rest:], loudness[rest:], first + rest
    seconds = encoder.samples / tokenizer.sample_rate
    if not seconds:
        raise ValueError("there is no audio to transcribe: the recording is empty")
    codes = torch.cat([codes, encoder.flush()[0].cpu()], dim=1)
    for start, end in recognizer.pieces(codes.shape[1], loudness, config):
        end_seconds = min((first + end) / rate, seconds)
        yield Piece((first + start) / rate, end_seconds, codes[:, start:end])


def recognize_pieces(
    recognizer: "Recognizer", pieces: Iterable[Piece], config: DecodingConfig
) -> Iterator[Segment]:
    """Segments of the pieces, in order; `config.batch` of them are recognised at once."""
    stream = iter(pieces)
    while batch := list(islice(stream, config.batch)):
        transcripts = recognizer.recognize([piece.codes for piece in batch], config)
        for piece, transcript in zip(batch, transcripts, strict=True):
            yield Segment(piece.start, piece.end, transcript)

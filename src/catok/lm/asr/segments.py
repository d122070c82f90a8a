"""Long recordings in bounded memory: cut as they are read, recognised a few pieces at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from catok.lm.asr.decoding_config import DecodingConfig
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
    encoder = tokenizer.stream_encoder(num_quantizers=recognizer.resolve_num_quantizers(config))
    cutter = PieceCutter(recognizer, config)
    for block in blocks:
        cutter.hear(block)
        yield from cutter.push(encoder.push(block)[0].cpu())
    yield from cutter.finish(encoder.flush()[0].cpu())


class PieceCutter:
    """Cuts a recording where it is quietest, as it comes in: its sound, and the codes of it.

    The sound may be ahead of the codes.
    """

    def __init__(self, recognizer: "Recognizer", config: DecodingConfig) -> None:
        tokenizer = recognizer.tokenizer
        self._recognizer, self._config = recognizer, config
        self._meter = LoudnessMeter(tokenizer.channels, tokenizer.frame_size)
        num_quantizers = recognizer.resolve_num_quantizers(config)
        self._codes = torch.zeros(num_quantizers, 0, dtype=torch.int64, device="cpu")
        self._loudness, self._first = self._meter.empty, 0
        self.samples = 0  # heard

    def hear(self, samples: Tensor) -> None:
        """The next audio `[C, n]`."""
        self._loudness = torch.cat([self._loudness, self._meter.push(samples)])
        self.samples += samples.shape[-1]

    def push(self, codes: Tensor) -> list[Piece]:
        """The next codes `[K, n]`; pieces whose end is now known."""
        self._codes = torch.cat([self._codes, codes], dim=1)
        *known, (rest, _) = self._places()
        pieces = [self._piece(start, end) for start, end in known]
        self._codes, self._loudness = self._codes[:, rest:], self._loudness[rest:]
        self._first += rest
        return pieces

    def finish(self, codes: Tensor) -> list[Piece]:
        """The last codes: all pieces that are left. Raises ValueError where there is no audio."""
        if not self.samples:
            raise ValueError("there is no audio to transcribe: the recording is empty")
        self._codes = torch.cat([self._codes, codes], dim=1)
        return [self._piece(start, end) for start, end in self._places()]

    def _places(self) -> list[tuple[int, int]]:
        return self._recognizer.pieces(self._codes.shape[1], self._loudness, self._config)

    def _piece(self, start: int, end: int) -> Piece:
        tokenizer = self._recognizer.tokenizer
        rate, seconds = tokenizer.frame_rate, self.samples / tokenizer.sample_rate
        end_seconds = min((self._first + end) / rate, seconds)
        return Piece((self._first + start) / rate, end_seconds, self._codes[:, start:end])


def recognize_pieces(
    recognizer: "Recognizer", pieces: Iterable[Piece], config: DecodingConfig
) -> Iterator[Segment]:
    """Segments of the pieces, in order; `config.batch` of them are recognised at once."""
    stream = iter(pieces)
    while batch := list(islice(stream, config.batch)):
        transcripts = recognizer.recognize([piece.codes for piece in batch], config)
        for piece, transcript in zip(batch, transcripts, strict=True):
            yield Segment(piece.start, piece.end, transcript)

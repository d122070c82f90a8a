"""Recognizer, what a user calls: recordings or codes in, transcripts out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, overload

import numpy as np
import torch
from torch import Tensor

from catok.audio import mix, read_blocks, resample
from catok.codes import Encoded
from catok.io.arrays import as_tensor
from catok.io.cat_file import is_cat_file
from catok.io.files import StrPath
from catok.lm.asr.decoding import decode_batch
from catok.lm.asr.decoding_config import DecodingConfig
from catok.lm.asr.prefill import Prefiller
from catok.lm.asr.segmentation import cut_points, frame_loudness
from catok.lm.asr.segments import Piece, Segment, cut_stream, recognize_pieces
from catok.lm.asr.transcript import Transcript, join_transcripts
from catok.lm.from_pretrained import FromPretrained
from catok.lm.speech_model import SpeechModel
from catok.tokenizer.checks import check_audio, check_codes, check_quantizers, check_samples
from catok.tokenizer.tokenizer import LONG_FRAMES

if TYPE_CHECKING:
    from catok.lm.asr.streaming import RecognitionSession


class Recognizer(FromPretrained):
    """A speech model that writes down what is said, with the help of a CTC head if it has one."""

    task = "asr"

    def __init__(self, speech: SpeechModel) -> None:
        """Raises ValueError when the CTC head belongs to another model."""
        threshold = speech.config.no_speech_threshold if speech.config else 0.0
        self.prefiller = Prefiller(speech.model, speech.text, speech.ctc_head, threshold)
        self.model, self.text, self.tokenizer = speech.model, speech.text, speech.tokenizer
        self.config, self.name = speech.config, speech.name

    @property
    def has_ctc(self) -> bool:
        """Whether method "ctc" and timestamps can be asked for."""
        return self.prefiller.head is not None

    @property
    def languages(self) -> tuple[str, ...]:
        """Tags of the languages it was trained with; none where that was not written down."""
        return () if self.config is None else self.config.languages

    @overload
    def transcribe(
        self, audio: Tensor | np.ndarray, sample_rate: int, config: DecodingConfig | None = None
    ) -> Transcript: ...
    @overload
    def transcribe(
        self,
        audio: Sequence[Tensor | np.ndarray],
        sample_rate: int,
        config: DecodingConfig | None = None,
    ) -> list[Transcript]: ...
    def transcribe(
        self,
        audio: Tensor | np.ndarray | Sequence[Tensor | np.ndarray],
        sample_rate: int,
        config: DecodingConfig | None = None,
    ) -> Transcript | list[Transcript]:
        """What is said in audio `[C, T]` or `[T]` float32, or in each of several recordings.

        Any rate in Hz and number of channels is converted to the tokenizer's. Recordings do not
        know of each other: each result is that of the recording alone. Raises ValueError on empty,
        non-finite, wrongly shaped or wrongly typed audio.
        """
        config = config or DecodingConfig()
        if isinstance(audio, Tensor | np.ndarray):
            return self.transcribe([audio], sample_rate, config)[0]
        num_quantizers = self.resolve_num_quantizers(config)
        codes, loudness = [], []
        for recording in audio:
            samples = self.prepare_audio(recording, sample_rate)
            codes.append(
                self.tokenizer.encode(samples[None], num_quantizers=num_quantizers).codes[0].cpu()
            )
            loudness.append(frame_loudness(samples, self.tokenizer.frame_size))
        return self._recognize(codes, loudness, config)

    @overload
    def transcribe_codes(
        self, codes: Tensor | Encoded, config: DecodingConfig | None = None
    ) -> Transcript: ...
    @overload
    def transcribe_codes(
        self, codes: Sequence[Tensor | Encoded], config: DecodingConfig | None = None
    ) -> list[Transcript]: ...
    def transcribe_codes(
        self,
        codes: Tensor | Encoded | Sequence[Tensor | Encoded],
        config: DecodingConfig | None = None,
    ) -> Transcript | list[Transcript]:
        """The same from codes `[K, F]` int64 or an `Encoded` of one row, or from several of them.

        Any K will do: codebooks that the model does not read are dropped, fewer are read as they
        are. Raises ValueError on codes of another tokenizer, out of range or in another layout.
        """
        config = config or DecodingConfig()
        if isinstance(codes, Tensor | Encoded):
            return self.transcribe_codes([codes], config)[0]
        bare = [self.bare(each) for each in codes]
        loudness = [self._loudness(each, config) for each in bare]
        by_index: dict[int, Transcript] = {}
        counts = [min(self.resolve_num_quantizers(config), len(each)) for each in bare]
        for num_quantizers in sorted(set(counts)):
            chosen = [index for index, count in enumerate(counts) if count == num_quantizers]
            results = self._recognize(
                [bare[i][:num_quantizers] for i in chosen], [loudness[i] for i in chosen], config
            )
            by_index |= zip(chosen, results, strict=True)
        return [by_index[index] for index in range(len(bare))]

    def transcribe_file(
        self, source: StrPath | BinaryIO, config: DecodingConfig | None = None
    ) -> Iterator[Segment]:
        """The pieces of an audio file or a `.cat` file of any length, each as soon as it is ready.

        Memory does not grow with the length. `join_segments` makes one transcript of them, which is
        that of `transcribe` or `transcribe_codes`. Raises ValueError as those do, on damage when it
        is reached.
        """
        config = config or DecodingConfig()
        if is_cat_file(source):
            encoded = Encoded.load(source)
            codes, seconds = self.bare(encoded), float(encoded.duration)
            cuts = self.pieces(codes.shape[1], self._loudness(codes, config), config)
            num_quantizers = min(self.resolve_num_quantizers(config), len(codes))
            rate = self.tokenizer.frame_rate
            pieces = (
                Piece(start / rate, min(end / rate, seconds), codes[:num_quantizers, start:end])
                for start, end in cuts
            )
            return recognize_pieces(self, pieces, config)
        tokenizer = self.tokenizer
        blocks = read_blocks(source, tokenizer.sample_rate, tokenizer.channels)
        return self.transcribe_blocks(blocks, config)

    def transcribe_blocks(
        self, blocks: Iterable[Tensor], config: DecodingConfig | None = None
    ) -> Iterator[Segment]:
        """The same of audio `[C, n]` block by block, at the tokenizer's rate and channels."""
        config = config or DecodingConfig()
        self.resolve_num_quantizers(config)
        return recognize_pieces(self, cut_stream(self, blocks, config), config)

    def stream(
        self, config: DecodingConfig | None = None, *, partial_seconds: float = 0.64
    ) -> "RecognitionSession":
        """A session that takes audio in pieces of any size; see `RecognitionSession`."""
        from catok.lm.asr.streaming import RecognitionSession

        return RecognitionSession(self, config or DecodingConfig(), partial_seconds)

    def resolve_num_quantizers(self, config: DecodingConfig) -> int:
        """How many codebooks are read. Raises ValueError on what the model cannot do."""
        if config.method == "ctc" or config.timestamps:
            self.prefiller.need_head()
        default = None if self.config is None else self.config.num_quantizers
        return check_quantizers(config.num_quantizers or default, self.model.config.n_vq)

    def prepare_audio(self, audio: Tensor | np.ndarray, sample_rate: int) -> Tensor:
        """Audio `[C, T]` or `[T]` at the tokenizer's rate and channels. Raises ValueError on what
        is no audio.
        """
        audio = as_tensor(audio, "audio [C, T]")
        if audio.dim() == 1:
            audio = audio[None]
        check_audio(audio[None], len(audio))
        check_samples(audio)
        return resample(
            mix(audio, self.tokenizer.channels), sample_rate, self.tokenizer.sample_rate
        )

    def pieces(
        self, frames: int, loudness: Tensor | None, config: DecodingConfig
    ) -> list[tuple[int, int]]:
        """Starts and ends in frames of the pieces that a recording is cut into."""
        limit, window = self._limits(config)
        if loudness is None:
            assert frames <= limit
            return [(0, frames)]
        return cut_points(loudness, frames, limit, window)

    def is_long(self, frames: int, config: DecodingConfig) -> bool:
        """Whether a recording of so many frames is cut."""
        return frames > self._limits(config)[0]

    def recognize(self, pieces: Sequence[Tensor], config: DecodingConfig) -> list[Transcript]:
        """Pieces, codes `[K, F]` of one K that will be read, together and uncut."""
        num_quantizers = len(pieces[0])
        prefilled = self.prefiller.prefill(pieces, num_quantizers)
        return decode_batch(
            self.prefiller, prefilled, config, num_quantizers, self.tokenizer.frame_rate
        )

    def _limits(self, config: DecodingConfig) -> tuple[int, int]:
        rate = self.tokenizer.frame_rate
        return max(1, int(config.max_seconds * rate)), max(1, int(config.pause_window * rate))

    def _recognize(
        self,
        codes: Sequence[Tensor],
        loudness: Sequence[Tensor | None],
        config: DecodingConfig,
    ) -> list[Transcript]:
        """Cut, recognise the pieces by length in batches, join."""
        cuts = [
            self.pieces(each.shape[1], loud, config)
            for each, loud in zip(codes, loudness, strict=True)
        ]
        parts = [
            each[:, start:end]
            for each, places in zip(codes, cuts, strict=True)
            for start, end in places
        ]
        order = sorted(range(len(parts)), key=lambda index: parts[index].shape[1])
        by_index: dict[int, Transcript] = {}
        for first in range(0, len(order), config.batch):
            chosen = order[first : first + config.batch]
            by_index |= zip(chosen, self.recognize([parts[i] for i in chosen], config), strict=True)
        results, first = [], 0
        for places in cuts:
            transcripts = [by_index[index] for index in range(first, first + len(places))]
            starts = [start / self.tokenizer.frame_rate for start, _ in places]
            results.append(join_transcripts(transcripts, starts))
            first += len(places)
        return results

    def bare(self, codes: Tensor | Encoded) -> Tensor:
        """Codes `[K, F]` of one recording on the CPU, K at most the model's."""
        if isinstance(codes, Encoded):
            self.tokenizer.check_code_space(codes)
            if codes.batch_size != 1:
                raise ValueError(
                    f"an Encoded of {codes.batch_size} rows: pass its rows, list(encoded.rows())"
                )
            codes = codes.codes[0]
        if not isinstance(codes, Tensor) or codes.dim() != 2:
            shape = list(codes.shape) if isinstance(codes, Tensor) else type(codes).__name__
            raise ValueError(
                f"the codes of a recording must have shape [K, F], got {shape}: pass the rows of "
                "[B, K, F] as a list"
            )
        check_codes(codes[None], self.tokenizer.num_quantizers, self.tokenizer.codebook_size)
        return codes[: self.model.config.n_vq].cpu()

    def _loudness(self, codes: Tensor, config: DecodingConfig) -> Tensor | None:
        """Loudness of every frame of what the codes sound like; None where nothing is to be cut."""
        if not self.is_long(codes.shape[1], config):
            return None
        decoder, size = self.tokenizer.stream_decoder(), self.tokenizer.frame_size
        pieces = codes.split(LONG_FRAMES, dim=1)
        return torch.cat([frame_loudness(decoder.push(each)[0].cpu(), size) for each in pieces])

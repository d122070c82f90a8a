"""Recognition of a stream: audio in pieces of any size in, what it seems to say so far out."""

import torch
from torch import Tensor

from catok.io.numbers import check_number
from catok.lm.asr.ctc import best_path, collapse
from catok.lm.asr.decoding import decode_batch, greedy_search
from catok.lm.asr.decoding_config import DecodingConfig
from catok.lm.asr.recognizer import Recognizer
from catok.lm.asr.segmentation import LoudnessMeter
from catok.lm.asr.transcript import Partial, Transcript, join_texts, join_transcripts

AT_ONCE = 64  # frames


class RecognitionSession:
    """One recording as it comes in; a frame goes through the model once.

    `push` gives the text so far: with a CTC head its likeliest path, else a greedy text from a copy
    of the model's state, brought up to date after every `partial_seconds` of audio. `finish` gives
    the transcript that `Recognizer.transcribe` gives of the whole (to within rounding), and readies
    the session for a new recording. Recordings above `config.max_seconds` are cut like files.
    """

    def __init__(
        self, recognizer: Recognizer, config: DecodingConfig, partial_seconds: float = 0.64
    ) -> None:
        """Raises ValueError when the settings ask for a CTC head and there is none."""
        check_number("partial_seconds", partial_seconds, above=0)
        self._recognizer, self._config = recognizer, config
        self._num_quantizers = recognizer.resolve_num_quantizers(config)
        rate = recognizer.tokenizer.frame_rate
        self._every = max(1, round(partial_seconds * rate))
        self._start()

    def _start(self) -> None:
        tokenizer = self._recognizer.tokenizer
        self._encoder = tokenizer.stream_encoder(num_quantizers=self._num_quantizers)
        self._meter = LoudnessMeter(tokenizer.channels, tokenizer.frame_size)
        self._done: list[Transcript] = []
        self._settled = ""  # the text of what is done
        self._starts: list[int] = []
        self._first = 0
        self._loudness = self._meter.empty
        self._begin_piece(torch.zeros(self._num_quantizers, 0, dtype=torch.int64, device="cpu"))

    def _begin_piece(self, codes: Tensor) -> None:
        """Hear `codes` `[K, n]` as the beginning of a new piece."""
        self._codes = codes[:, :0]
        self._hidden: Tensor | None = None
        self._path: list[int] = []
        self._text, self._shown = "", 0
        self._state = self._recognizer.prefiller.begin(self._num_quantizers)
        self._hear(codes)

    def push(self, samples: Tensor) -> Partial:
        """Audio `[C, n]` (or `[n]`, mono) at the tokenizer's rate, n >= 0.

        Raises ValueError on wrong shape, type or non-finite samples; the session stays as it was.
        For audio of another rate there is `catok.audio.resampling.resample_blocks`.
        """
        codes = self._encoder.push(samples)[0].cpu()
        self._loudness = torch.cat([self._loudness, self._meter.push(samples)])
        self._follow(codes)
        return Partial(join_texts([self._settled, self._partial()]))

    def finish(self) -> Transcript:
        """The transcript of all that was pushed. Raises ValueError when nothing was."""
        if self._encoder.samples == 0:
            raise ValueError("no audio was pushed: there is nothing to transcribe")
        self._follow(self._encoder.flush()[0].cpu())
        assert self._hidden is not None
        prefilled = self._recognizer.prefiller.finish(
            self._state, self._hidden, self._num_quantizers
        )
        rate = self._recognizer.tokenizer.frame_rate
        last = decode_batch(
            self._recognizer.prefiller, prefilled, self._config, self._num_quantizers, rate
        )
        starts = [start / rate for start in [*self._starts, self._first]]
        transcript = join_transcripts([*self._done, *last], starts)
        self._start()
        return transcript

    def _follow(self, codes: Tensor) -> None:
        """Hear new codes, however many, without a piece ever growing far above the limit."""
        for few in codes.split(AT_ONCE, dim=1):
            self._hear(few)
            self._cut()

    def _hear(self, codes: Tensor) -> None:
        if codes.shape[1] == 0:
            return
        prefiller = self._recognizer.prefiller
        hidden, self._state = prefiller.extend(codes, self._state, self._num_quantizers)
        old = hidden[:0] if self._hidden is None else self._hidden
        self._hidden = torch.cat([old, hidden])
        self._codes = torch.cat([self._codes, codes], dim=1)
        if prefiller.head is not None:
            self._path += best_path(prefiller.ctc(hidden))[0]

    def _cut(self) -> None:
        """Settle the pieces whose end is known, as a file of this length would be cut."""
        recognizer = self._recognizer
        pieces = recognizer.pieces(self._codes.shape[1], self._loudness, self._config)
        if len(pieces) == 1:
            return
        *whole, (rest, _) = pieces
        for start, end in whole:
            settled = recognizer.transcribe_codes(self._codes[:, start:end], self._config)
            self._done.append(settled)
            self._settled = join_texts([self._settled, settled.text])
            self._starts.append(self._first + start)
        self._first += rest
        self._loudness = self._loudness[rest:]
        self._begin_piece(self._codes[:, rest:])

    def _partial(self) -> str:
        prefiller, frames = self._recognizer.prefiller, self._codes.shape[1]
        if prefiller.head is not None:
            tokens = collapse(self._path, prefiller.head.blank)
            return prefiller.text.decode(tokens).strip()
        if self._hidden is not None and frames - self._shown >= self._every:
            prefilled = prefiller.finish(self._state, self._hidden, self._num_quantizers)
            limit = self._config.max_tokens(frames, self._recognizer.tokenizer.frame_rate)
            best = greedy_search(
                prefiller.decoder(self._num_quantizers), prefilled.decoder_state, [limit]
            )[0]
            self._text, self._shown = prefiller.text.decode(best.tokens).strip(), frames
        return self._text

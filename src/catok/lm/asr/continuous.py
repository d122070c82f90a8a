"""Recognition of pieces that come when they like, a token of each at a time.

`decoding.py` works off a batch from beginning to end; that is the reference. Here a piece joins
those that run, and gives its transcript when its own search is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from catok.io.numbers import check_whole_number
from catok.lm.asr.beam_search import Hypothesis
from catok.lm.asr.decoding import (
    Search,
    advance_all,
    as_transcript,
    likeliest_path,
    needs_table,
    new_search,
)
from catok.lm.asr.decoding_config import DecodingConfig
from catok.lm.asr.recognizer import Recognizer
from catok.lm.asr.text_decoder import DecoderState
from catok.lm.asr.transcript import Transcript

ROWS = 8
PREFILLED = 2  # pieces that are read in one step


@dataclass
class _Piece:
    """A piece that waits or runs."""

    number: int
    codes: Tensor
    config: DecodingConfig
    limit: int
    table: Tensor | None = None
    search: Search | None = None


class RecognitionEngine:
    """At most `rows` pieces at a time, in the order in which they were admitted.

    A piece in company gives what `Recognizer.recognize` gives of it alone (but for rounding).
    """

    def __init__(self, recognizer: Recognizer, rows: int = ROWS) -> None:
        check_whole_number("rows", rows, at_least=1)
        self.recognizer, self.rows = recognizer, rows
        self._waiting: list[_Piece] = []
        self._batches: dict[int, _PieceBatch] = {}
        self._number = 0

    @property
    def running(self) -> int:
        """Pieces whose search runs."""
        return sum(len(batch.pieces) for batch in self._batches.values())

    @property
    def waiting(self) -> int:
        """Pieces that have not begun."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._waiting or self._batches)

    def admit(self, codes: Tensor, config: DecodingConfig) -> int:
        """Take in a piece, codes `[K, F]` of which all K are read; its number.

        Raises ValueError when a CTC head is asked for and missing.
        """
        self.recognizer.resolve_num_quantizers(config)
        limit = config.max_tokens(codes.shape[1], self.recognizer.tokenizer.frame_rate)
        self._number += 1
        self._waiting.append(_Piece(self._number, codes, config, limit))
        return self._number

    def retire(self, number: int) -> None:
        """Forget a piece. No error if it is done."""
        self._waiting = [piece for piece in self._waiting if piece.number != number]
        for batch in self._batches.values():
            batch.drop(number)
        self._drop_empty()

    @torch.no_grad()
    def step(self) -> list[tuple[int, Transcript]]:
        """One token more of every piece that runs; numbers and transcripts of those now done."""
        room = max(0, min(self.rows - self.running, PREFILLED))
        fresh, self._waiting = self._waiting[:room], self._waiting[room:]
        for piece in fresh:
            self._batches.setdefault(
                len(piece.codes), _PieceBatch(self.recognizer, len(piece.codes))
            )
        done = []
        for num_quantizers, batch in self._batches.items():
            done += batch.step([piece for piece in fresh if len(piece.codes) == num_quantizers])
        self._drop_empty()
        return done

    def _drop_empty(self) -> None:
        self._batches = {
            num_quantizers: batch for num_quantizers, batch in self._batches.items() if batch.pieces
        }


class _PieceBatch:
    """Pieces that are read with the same number of codebooks."""

    def __init__(self, recognizer: Recognizer, num_quantizers: int) -> None:
        self._prefiller = recognizer.prefiller
        self._frame_rate = recognizer.tokenizer.frame_rate
        self._decoder = recognizer.prefiller.decoder(num_quantizers)
        self._num_quantizers = num_quantizers
        self._state: DecoderState | None = None  # a row for every open hypothesis
        self.pieces: list[_Piece] = []

    def step(self, fresh: Sequence[_Piece]) -> list[tuple[int, Transcript]]:
        done = self._read(fresh) if fresh else []
        if self._state is None:
            return done
        origins, tokens = advance_all([_search(piece) for piece in self.pieces], self._state)
        over = [piece for piece in self.pieces if not _search(piece).open]
        self.pieces = [piece for piece in self.pieces if _search(piece).open]
        done += [(p.number, self._transcript(p, _search(p).best())) for p in over]
        if not self.pieces:
            self._state = None
            return done
        state = self._state.select(origins)
        if over:
            state = DecoderState(state.log_probs, state.temporal.trimmed())
        self._state = self._decoder.step(state, tokens)
        return done

    def drop(self, number: int) -> None:
        if self._state is None or all(piece.number != number for piece in self.pieces):
            return
        counts = [len(_search(piece).open) for piece in self.pieces]
        rows = torch.arange(sum(counts)).split(counts)
        kept = [i for i, piece in enumerate(self.pieces) if piece.number != number]
        self.pieces = [self.pieces[i] for i in kept]
        self._state = (
            self._state.select(torch.cat([rows[i] for i in kept]).tolist()) if kept else None
        )

    def _read(self, fresh: Sequence[_Piece]) -> list[tuple[int, Transcript]]:
        """Take in new pieces; those that the CTC head alone writes down are done at once."""
        prefilled = self._prefiller.prefill([piece.codes for piece in fresh], self._num_quantizers)
        done, searched = [], []
        for index, (piece, hidden) in enumerate(zip(fresh, prefilled.hidden, strict=True)):
            if needs_table(self._prefiller, piece.config):
                piece.table = self._prefiller.ctc(hidden)
            if piece.config.method == "ctc":
                assert piece.table is not None
                done.append((piece.number, self._transcript(piece, likeliest_path(piece.table))))
                continue
            piece.search = new_search(self._decoder, piece.config, piece.limit, piece.table)
            self.pieces.append(piece)
            searched.append(index)
        if searched:
            state = prefilled.decoder_state.select(searched)
            both = [state] if self._state is None else [self._state, state]
            self._state = DecoderState.join(both)
        return done

    def _transcript(self, piece: _Piece, best: Hypothesis) -> Transcript:
        return as_transcript(
            self._prefiller, piece.config, best, piece.table, piece.limit, self._frame_rate
        )


def _search(piece: _Piece) -> Search:
    assert piece.search is not None
    return piece.search

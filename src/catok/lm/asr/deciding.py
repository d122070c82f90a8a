"""From what the model has heard to transcripts, by the method asked for."""

from collections.abc import Sequence

from torch import Tensor

from catok.lm.asr.alignment import align, best_path, collapse, positions_needed
from catok.lm.asr.beam import BeamSearch, Hypothesis
from catok.lm.asr.config import DecodingConfig
from catok.lm.asr.listening import Heard, Listener
from catok.lm.asr.prefix import PrefixScorer
from catok.lm.asr.transcript import Transcript
from catok.lm.asr.words import Word, timed_words
from catok.lm.asr.writing import TextWriter, write_best, write_greedily

CANDIDATES = 3  # tokens that CTC judges after each hypothesis, per place in the beam


def decide(
    listener: Listener,
    heard: Heard,
    config: DecodingConfig,
    num_quantizers: int,
    frame_rate: float,
) -> list[Transcript]:
    """One transcript per recording. Raises ValueError when a CTC head is asked for and missing."""
    joint = config.method == "beam" and config.ctc_weight > 0 and listener.head is not None
    tables: list[Tensor] = []
    if joint or config.method == "ctc" or config.timestamps:
        tables = [listener.ctc(hidden) for hidden in heard.hidden]
    limits = [config.max_tokens(frames, frame_rate) for frames in heard.frames]
    writer = listener.writer(num_quantizers)
    if config.method == "ctc":
        found = [likeliest_path(table) for table in tables]
    elif config.method == "greedy":
        found = write_greedily(writer, heard.text, limits)
    else:
        found = _searched(writer, heard, config, limits, tables if joint else [])
    transcripts = []
    for index, best in enumerate(found):
        words = None
        if config.timestamps and listener.head is not None:
            seconds = 1 / (frame_rate * listener.head.per_frame)
            words = _words(listener, best, tables[index], seconds)
        text = listener.text.decode(best.tokens).strip()
        ended = config.method == "ctc" or len(best.tokens) < limits[index]
        transcripts.append(Transcript(text, best.tokens, best.log_prob, words, ended))
    return transcripts


def likeliest_path(table: Tensor) -> Hypothesis:
    """What the likeliest CTC path through `[T, V + 1]` spells."""
    path, log_prob = best_path(table)
    return Hypothesis(tuple(collapse(path, table.shape[1] - 1)), log_prob, log_prob)


def _searched(
    writer: TextWriter,
    heard: Heard,
    config: DecodingConfig,
    limits: Sequence[int],
    tables: Sequence[Tensor],
) -> list[Hypothesis]:
    """By beam search, jointly with CTC where there are `tables`."""
    searches = [
        BeamSearch(
            config.beam,
            writer.end,
            limit,
            config.length_power,
            PrefixScorer(tables[index]) if tables else None,
            config.ctc_weight,
            CANDIDATES * config.beam,
        )
        for index, limit in enumerate(limits)
    ]
    return write_best(writer, heard.text, searches)


def _words(
    listener: Listener, best: Hypothesis, table: Tensor, seconds: float
) -> tuple[Word, ...] | None:
    if positions_needed(best.tokens) > len(table):
        return None
    return tuple(timed_words(best.tokens, align(table, best.tokens), listener.text, seconds))

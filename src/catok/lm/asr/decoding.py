"""From prefilled recordings to transcripts: the text channel token by token, or the CTC head."""

from collections.abc import Sequence

from torch import Tensor

from catok.lm.asr.beam_search import BeamSearch, CTCPrefixScorer, GreedySearch, Hypothesis
from catok.lm.asr.ctc import align, best_path, collapse, positions_needed
from catok.lm.asr.decoding_config import DecodingConfig
from catok.lm.asr.prefill import PrefilledBatch, Prefiller
from catok.lm.asr.speech import speech_confidence
from catok.lm.asr.text_decoder import DecoderState, TextDecoder
from catok.lm.asr.transcript import Transcript, Word, timed_words

CANDIDATES = 3  # tokens that CTC judges after each hypothesis, per place in the beam
Search = BeamSearch | GreedySearch


def greedy_search(
    decoder: TextDecoder, state: DecoderState, max_tokens: Sequence[int]
) -> list[Hypothesis]:
    """The likeliest token at each step, for recordings that are the rows of `state`.

    After `max_tokens` (one limit per recording) the end is taken, whatever its probability.
    """
    texts: list[list[int]] = [[] for _ in max_tokens]
    totals = [0.0] * len(texts)
    alive = list(range(len(texts)))
    while alive:
        chosen = state.log_probs.argmax(dim=-1).tolist()
        for place, row in enumerate(alive):
            if len(texts[row]) >= max_tokens[row]:
                chosen[place] = decoder.end
            totals[row] += float(state.log_probs[place, chosen[place]])
        going = [place for place, token in enumerate(chosen) if token != decoder.end]
        for place in going:
            texts[alive[place]].append(chosen[place])
        alive = [alive[place] for place in going]
        if alive:
            state = decoder.step(state.select(going), [chosen[place] for place in going])
    return [
        Hypothesis(tuple(text), total, total) for text, total in zip(texts, totals, strict=True)
    ]


def search_together(
    decoder: TextDecoder, state: DecoderState, searches: Sequence[Search]
) -> list[Hypothesis]:
    """Run one fresh search per row of `state`, all of them together."""
    running = list(searches)
    while running:
        origins, tokens = advance_all(running, state)
        running = [search for search in running if search.open]
        if running:
            state = decoder.step(state.select(origins), tokens)
    return [search.best() for search in searches]


def advance_all(searches: Sequence[Search], state: DecoderState) -> tuple[list[int], list[int]]:
    """One step of each search, whose open hypotheses are the rows of `state`, one after the other.

    Returns the rows that go on, and their new tokens.
    """
    origins: list[int] = []
    tokens: list[int] = []
    first = 0
    for search in searches:
        count = len(search.open)
        chosen = search.advance(state.log_probs[first : first + count])
        origins += [first + origin for origin, _ in chosen]
        tokens += [token for _, token in chosen]
        first += count
    return origins, tokens


def decode_batch(
    prefiller: Prefiller,
    prefilled: PrefilledBatch,
    config: DecodingConfig,
    num_quantizers: int,
    frame_rate: float,
) -> list[Transcript]:
    """One transcript per recording. Raises ValueError when a CTC head is asked for and missing."""
    tables: list[Tensor | None] = [None] * len(prefilled.hidden)
    if needs_table(prefiller, config):
        tables = [prefiller.ctc(hidden) for hidden in prefilled.hidden]
    limits = [config.max_tokens(frames, frame_rate) for frames in prefilled.frames]
    decoder = prefiller.decoder(num_quantizers)
    if config.method == "ctc":
        hypotheses = [likeliest_path(table) for table in tables if table is not None]
    elif config.method == "greedy":
        hypotheses = greedy_search(decoder, prefilled.decoder_state, limits)
    else:
        each = zip(limits, tables, strict=True)
        searches = [new_search(decoder, config, limit, table) for limit, table in each]
        hypotheses = search_together(decoder, prefilled.decoder_state, searches)
    return [
        as_transcript(prefiller, config, best, table, limit, frame_rate)
        for best, table, limit in zip(hypotheses, tables, limits, strict=True)
    ]


def needs_table(prefiller: Prefiller, config: DecodingConfig) -> bool:
    """Whether the CTC head is asked at all."""
    joint = config.method == "beam" and config.ctc_weight > 0 and prefiller.head is not None
    asked = config.method == "ctc" or config.timestamps
    return joint or asked or _threshold(prefiller, config) > 0


def _threshold(prefiller: Prefiller, config: DecodingConfig) -> float:
    """Below which confidence a piece has no words; 0 without a CTC head."""
    if prefiller.head is None:
        return 0.0
    default = prefiller.no_speech_threshold
    return default if config.no_speech_threshold is None else config.no_speech_threshold


def new_search(
    decoder: TextDecoder, config: DecodingConfig, limit: int, table: Tensor | None
) -> Search:
    """A fresh search for a text of at most `limit` tokens; `table`: what the CTC head says."""
    if config.method == "greedy":
        return GreedySearch(decoder.end, limit)
    joint = table is not None and config.ctc_weight > 0
    return BeamSearch(
        config.beam,
        decoder.end,
        limit,
        config.length_power,
        CTCPrefixScorer(table) if joint and table is not None else None,
        config.ctc_weight,
        CANDIDATES * config.beam,
    )


def as_transcript(
    prefiller: Prefiller,
    config: DecodingConfig,
    best: Hypothesis,
    table: Tensor | None,
    limit: int,
    frame_rate: float,
) -> Transcript:
    """What was found, with the times of its words if they are asked for; nothing without speech."""
    if table is not None and prefiller.head is not None:
        sure = speech_confidence(table, frame_rate * prefiller.head.per_frame)
        if sure < _threshold(prefiller, config):
            blank = float(table[:, -1].double().sum())
            return Transcript("", (), blank, () if config.timestamps else None)
    words = None
    if config.timestamps and prefiller.head is not None and table is not None:
        seconds = 1 / (frame_rate * prefiller.head.per_frame)
        words = _words(prefiller, best, table, seconds)
    text = prefiller.text.decode(best.tokens).strip()
    ended = config.method == "ctc" or len(best.tokens) < limit
    return Transcript(text, best.tokens, best.log_prob, words, ended)


def likeliest_path(table: Tensor) -> Hypothesis:
    """What the likeliest CTC path through `[T, V + 1]` spells."""
    path, log_prob = best_path(table)
    return Hypothesis(tuple(collapse(path, table.shape[1] - 1)), log_prob, log_prob)


def _words(
    prefiller: Prefiller, best: Hypothesis, table: Tensor, seconds: float
) -> tuple[Word, ...] | None:
    if positions_needed(best.tokens) > len(table):
        return None
    return tuple(timed_words(best.tokens, align(table, best.tokens), prefiller.text, seconds))

"""Continuous batching: prompts join a running batch, and leave it, between any two frames.

`generation.py` runs a batch from beginning to end; that is the reference. Here a row that ends
makes room for the next one at once, and nobody waits for a batch to be full or over. Every row has
its own sampling, its own seed and its own limit: in company it gives what it gives alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from catok.io.numbers import check_whole_number
from catok.lm.generation import MAX_FRAMES, Generated
from catok.lm.interface import BaseTokenLM
from catok.lm.repetition_history import RepetitionHistory
from catok.lm.sampler import RowSampler, check_seed, draw_seeds
from catok.lm.sampling import SamplingConfig
from catok.lm.temporal_transformer import TemporalState
from catok.lm.tokens import pad_tokens
from catok.tokenizer.checks import check_quantizers

ROWS = 32
PREFILLED = 8  # prompts that are read in one step: those that run are held up no longer


@dataclass(frozen=True, eq=False)
class GenerationRequest:
    """One prompt, `prompt` `[T, 1 + n_vq]` from `PromptBuilder`, and how to go on from it.

    Fields as in `generate_frames`; `unconditional` is for guidance alone.
    """

    prompt: Tensor
    num_quantizers: int | None = None
    sampling: SamplingConfig | None = None
    max_frames: int = MAX_FRAMES
    seed: int | None = None
    unconditional: Tensor | None = None


@dataclass(frozen=True)
class RowFrame:
    """What a step made of one row: the codes `[K]` int64 of a frame on the CPU, or None at its end.

    `over`: nothing more will come. `ended`: because the model said so, not the limit of frames.
    """

    row: int
    codes: Tensor | None
    over: bool
    ended: bool


@dataclass
class _Row:
    """A row that waits or runs; `made`: frames so far."""

    number: int
    request: GenerationRequest
    sampling: SamplingConfig
    depth: int
    seed: int
    made: int = 0


class GenerationEngine:
    """At most `rows` prompts at a time, in the order in which they were admitted.

    `admit` at any time, then `step` again and again; `retire` whoever is no longer wanted. Rows
    that use the same number of codebooks and the same guidance run in one batch.
    """

    def __init__(self, model: BaseTokenLM, rows: int = ROWS) -> None:
        check_whole_number("rows", rows, at_least=1)
        self.model, self.rows = model, rows
        self._waiting: list[_Row] = []
        self._batches: dict[tuple[int, float], _Batch] = {}
        self._number = 0

    @property
    def running(self) -> int:
        """Rows in a batch."""
        return sum(len(batch.rows) for batch in self._batches.values())

    @property
    def waiting(self) -> int:
        """Prompts that have not begun."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._waiting or self._batches)

    def admit(self, request: GenerationRequest) -> int:
        """Take in a prompt; the number of its row. Raises ValueError as `generate_frames` does."""
        depth = check_quantizers(request.num_quantizers, self.model.config.n_vq)
        check_whole_number("max_frames", request.max_frames, at_least=1)
        seed = draw_seeds(1)[0] if request.seed is None else check_seed(request.seed)
        sampling = request.sampling or SamplingConfig()
        if sampling.guidance != 1 and request.unconditional is None:
            raise ValueError("guidance needs the prompt without its text too: give unconditional")
        if len(request.prompt) == 0:
            raise ValueError("a prompt needs at least one row")
        self._number += 1
        self._waiting.append(_Row(self._number, request, sampling, depth, seed))
        return self._number

    def retire(self, row: int) -> None:
        """Forget a row that waits or runs. No error if it is over."""
        self._waiting = [each for each in self._waiting if each.number != row]
        for batch in self._batches.values():
            batch.keep([place for place, each in enumerate(batch.rows) if each.number != row])
        self._drop_empty()

    @torch.no_grad()
    def step(self) -> list[RowFrame]:
        """One frame more of every row that runs, and the first of those that there is room for."""
        room = min(self.rows - self.running, PREFILLED)
        fresh, self._waiting = self._waiting[: max(0, room)], self._waiting[max(0, room) :]
        joining: dict[tuple[int, float], list[_Row]] = {}
        for row in fresh:
            joining.setdefault((row.depth, row.sampling.guidance), []).append(row)
        for key in joining:
            self._batches.setdefault(key, _Batch(self.model, *key))
        frames = [
            frame
            for key, each in self._batches.items()
            for frame in each.step(joining.get(key, []))
        ]
        self._drop_empty()
        return frames

    def _drop_empty(self) -> None:
        self._batches = {key: batch for key, batch in self._batches.items() if batch.rows}


class _Batch:
    """Rows of one number of codebooks and one guidance, which takes a second row beside each."""

    def __init__(self, model: BaseTokenLM, depth: int, guidance: float) -> None:
        self._model, self._depth, self._guidance = model, depth, guidance
        self._copies = 1 if guidance == 1 else 2
        self._sampler = RowSampler(model.config)
        self._history: RepetitionHistory | None = None
        self._state: TemporalState | None = None
        self._last = torch.empty(0, model.config.channels, dtype=torch.int64, device=model.device)
        self.rows: list[_Row] = []

    def step(self, fresh: Sequence[_Row]) -> list[RowFrame]:
        model = self._model
        hidden: list[Tensor] = []
        if self.rows:
            last = self._last[:, None].repeat(self._copies, 1, 1)
            newest, self._state = model.temporal(last, None, self._state, self._depth)
            hidden.append(newest[:, -1])
        if fresh:
            hidden.append(self._join(fresh))
        row = model.sample_frame(
            self._interleaved(hidden, len(fresh)),
            self._depth,
            self._sampler,
            self._need_history(),
            self._guidance,
        )
        self._last = row
        self._need_history().add(row[:, None])
        over = (row[:, 0] == model.config.audio_end_token_id).tolist()
        codes = row[:, 1 : 1 + self._depth].cpu()
        frames, kept = [], []
        for place, (each, ended) in enumerate(zip(self.rows, over, strict=True)):
            each.made += 1
            done = ended or each.made >= each.request.max_frames
            frames.append(RowFrame(each.number, None if ended else codes[place], done, ended))
            if not done:
                kept.append(place)
        self.keep(kept)
        return frames

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these rows only."""
        if len(places) == len(self.rows):
            return
        index = torch.tensor(places, dtype=torch.int64, device=self._last.device)
        if self._state is not None:
            both = [index + copy * len(self.rows) for copy in range(self._copies)]
            self._state = self._state.select(torch.cat(both)).trimmed() if places else None
        self._need_history().select(index)
        self._sampler.select(places)
        self._last = self._last[index]
        self.rows = [self.rows[place] for place in places]

    def _need_history(self) -> RepetitionHistory:
        assert self._history is not None
        return self._history

    def _join(self, fresh: Sequence[_Row]) -> Tensor:
        """Read the prompts of new rows, take them in and give their hidden states `[copies N, D]`.

        A prompt that several rows share is read once.
        """
        model, before = self._model, len(self.rows)
        prompts = {id(row.request.prompt): row.request for row in fresh}
        order = {key: place for place, key in enumerate(prompts)}
        asked = [request.prompt for request in prompts.values()]
        second = [r.unconditional for r in prompts.values() if r.unconditional is not None]
        rows, mask = pad_tokens(asked + second if self._copies > 1 else asked, model.config)
        rows, mask = rows.to(model.device), mask.to(model.device)
        hidden, state = model.temporal(rows, mask, None, self._depth)
        assert state is not None
        places = torch.tensor([order[id(row.request.prompt)] for row in fresh], device=model.device)
        both = torch.cat([places + copy * len(asked) for copy in range(self._copies)])
        state = state.select(both)
        history = RepetitionHistory(rows[places], self._depth, model.config.audio_vocab_size + 1)
        if self._state is None or self._history is None or not before:
            self._state, self._history = state, history
        else:
            self._history.extend(history)
            joined = TemporalState.join([self._state, state])
            if self._copies > 1:
                joined = joined.select(self._interleave(before, len(fresh)))
            self._state = joined
        for row in fresh:
            self._sampler.add(row.sampling, row.seed)
        self.rows += fresh
        return hidden[both, -1]

    def _interleaved(self, hidden: Sequence[Tensor], fresh: int) -> Tensor:
        """Hidden states of all rows, then the same without text."""
        if len(hidden) == 1 or self._copies == 1:
            return torch.cat(list(hidden))
        return torch.cat(list(hidden))[self._interleave(len(self.rows) - fresh, fresh)]

    def _interleave(self, old: int, new: int) -> Tensor:
        """From [old, old without text, new, new without text] to both with text, both without."""
        parts = torch.arange(2 * (old + new), device=self._last.device).split([old, old, new, new])
        return torch.cat([parts[0], parts[2], parts[1], parts[3]])


def generate_continuously(
    model: BaseTokenLM, requests: Sequence[GenerationRequest], rows: int = ROWS
) -> list[Generated]:
    """The codes of every request, at most `rows` at a time; those of `generate` for its seed."""
    engine = GenerationEngine(model, rows)
    numbers = [engine.admit(request) for request in requests]
    columns: dict[int, list[Tensor]] = {number: [] for number in numbers}
    ended: set[int] = set()
    while engine.busy:
        for frame in engine.step():
            if frame.codes is not None:
                columns[frame.row].append(frame.codes)
            if frame.ended:
                ended.add(frame.row)
    results = []
    for number, request in zip(numbers, requests, strict=True):
        depth = check_quantizers(request.num_quantizers, model.config.n_vq)
        empty = torch.empty(depth, 0, dtype=torch.int64, device="cpu")
        each = columns[number]
        results.append(Generated(torch.stack(each, dim=1) if each else empty, number in ended))
    return results

"""Batches of any step as a function of seed and step: drawn, packed by length, then read.

In one pass over the corpus (`plan_epoch`) each utterance's task, reference and prefix are drawn
anew, lengths are sorted with some jitter, cut into batches within the budget of rows, and the
batches shuffled. Passes follow each other; processes and micro-batches take their batches in turn:
two processes read what one process with twice the micro-batches would.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from catok.data.prompt_fields import PromptFields
from catok.io.files import reason
from catok.lm.messages import assistant_message, user_message
from catok.lm.prompt import PromptBuilder
from catok.lm.speech_config import Task
from catok.lm.tokens import pad_labels, pad_tokens
from catok.training.lm.corpus import Corpus
from catok.training.lm.examples import (
    Example,
    TrainingSequence,
    build,
    mask_frames,
    recognition,
    thin_frames,
)
from catok.training.lm.train_config import LMDataConfig, LMTrainConfig, MaskingConfig

JITTER = 0.15  # lengths are sorted as if up to this much longer, so that batches vary


def plan_epoch(
    corpus: Corpus,
    prompt_builder: PromptBuilder,
    data: LMDataConfig,
    tasks: dict[Task, float],
    rng: np.random.Generator,
) -> list[list[Example]]:
    """One pass: every utterance in one example, in batches of one task in random order.

    Recordings without speech are for recognition.
    """
    names, weights = list(tasks), np.array(list(tasks.values()))
    task_numbers = rng.choice(len(names), size=len(corpus), p=weights / weights.sum())
    if data.empty_text:
        task_numbers[corpus.text_lengths == 0] = names.index("asr")
    references = corpus.draw_references(rng)
    references[rng.random(len(corpus)) >= data.clone] = -1
    longest = max(1, round(data.reference_seconds * corpus.space.frame_rate))
    available = np.where(references >= 0, corpus.frames[references], 0)
    reference_lengths = np.minimum(available, longest)
    starts = rng.integers(available - reference_lengths + 1)
    prefixes = rng.integers(1, np.maximum(corpus.frames, 2))
    prefixes[(corpus.frames < 2) | (rng.random(len(corpus)) >= data.continuation)] = 0
    jitter = 1 + JITTER * rng.random(len(corpus))
    with_text = np.ones(len(corpus), dtype=bool)
    if data.no_text:  # else nothing is drawn: a seed's batches stay what they were
        with_text = rng.random(len(corpus)) >= data.no_text

    batches: list[list[Example]] = []
    for number, task in enumerate(names):
        indices = (task_numbers == number).nonzero()[0]
        is_synthesis = task == "tts"
        lengths = (
            _overhead(task, prompt_builder) + corpus.frames[indices] + corpus.text_lengths[indices]
        )
        if is_synthesis:
            lengths = lengths + np.where(
                reference_lengths[indices] > 0, reference_lengths[indices] + 2, 0
            )
        order = np.argsort(lengths * jitter[indices], kind="stable")
        for group in pack_to_budget(lengths[order], data.rows_per_batch):
            batches.append(
                [
                    Example(
                        task,
                        i,
                        reference=int(references[i]),
                        reference_start=int(starts[i]),
                        reference_stop=int(starts[i] + reference_lengths[i]),
                        prefix=int(prefixes[i]),
                        with_text=bool(with_text[i]),
                    )
                    if is_synthesis
                    else Example(task, i)
                    for i in indices[order[group]].tolist()
                ]
            )
    return [batches[i] for i in rng.permutation(len(batches))]


def pack_to_budget(lengths: np.ndarray, budget: int) -> Iterator[slice]:
    """Cut a series of lengths into runs whose number times their longest is at most `budget`.

    A single one beyond the budget is a run of its own.
    """
    first, longest = 0, 0
    for index, length in enumerate(lengths.tolist()):
        longest = max(longest, length)
        if index > first and (index - first + 1) * longest > budget:
            yield slice(first, index)
            first, longest = index, length
    if len(lengths):
        yield slice(first, len(lengths))


def _overhead(task: Task, prompt_builder: PromptBuilder) -> int:
    """Rows of an example besides its frames and text tokens; text tokenizers may join a few."""
    silence = torch.zeros(prompt_builder.config.n_vq, 0, dtype=torch.int64)
    if task == "asr":
        messages = recognition(silence, "a")
    else:
        messages = [user_message("a", PromptFields(language="en")), assistant_message(silence)]
    return len(prompt_builder.training(messages)[0]) - 1


@dataclass(frozen=True, eq=False)
class TokenBatch:
    """Sequences of one task, padded on the left.

    `rows`, `labels` `[B, T, 1 + n_vq]`; `mask` `[B, T]` bool: real rows; `voiced` `[B, T]` bool:
    where the text is said, in recognition the frames of the user's recording, in synthesis the rows
    that predict the answer's frames, each the one before. `text` `[B, S]` and `text_lengths` `[B]`:
    the texts alone, zero-padded. `frames`: of audio, in all. `skipped`: what could not be read.
    """

    task: Task
    rows: Tensor
    labels: Tensor
    mask: Tensor
    voiced: Tensor
    text: Tensor
    text_lengths: Tensor
    frames: int
    skipped: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "TokenBatch":
        """The same on `device`."""
        moved = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved)


def collate(
    task: Task,
    sequences: list[TrainingSequence],
    prompt_builder: PromptBuilder,
    skipped: tuple[str, ...] = (),
) -> TokenBatch:
    """Pad sequences to the longest one."""
    config = prompt_builder.config
    rows, mask = pad_tokens([s.rows for s in sequences], config)
    recorded = rows[..., 0] == config.audio_user_slot_token_id
    spoken = rows[..., 0] == config.audio_assistant_gen_slot_token_id
    return TokenBatch(
        task=task,
        rows=rows,
        labels=pad_labels([s.labels for s in sequences]),
        mask=mask,
        voiced=recorded if task == "asr" else spoken.roll(-1, dims=1),
        text=torch.nn.utils.rnn.pad_sequence([s.text for s in sequences], batch_first=True),
        text_lengths=torch.tensor([len(s.text) for s in sequences]),
        frames=int(recorded.sum() + spoken.sum()),
        skipped=skipped,
    )


class LMBatchSource:
    """The batches of one process of `world`; what cannot be read is left out of them, and named."""

    def __init__(
        self,
        corpus: Corpus,
        prompt_builder: PromptBuilder,
        data: LMDataConfig,
        tasks: dict[Task, float],
        *,
        masking: MaskingConfig | None = None,
        depth_share: float = 1.0,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        accumulate: int = 1,
    ) -> None:
        self.corpus, self.prompt_builder, self.data, self.tasks = (
            corpus,
            prompt_builder,
            data,
            tasks,
        )
        self.masking, self.depth_share = masking or MaskingConfig(), depth_share
        self.seed, self.rank, self.world, self.accumulate = seed, rank, world, accumulate
        self._lock = threading.Lock()
        self._starts: list[int] = [0]  # the first batch of each pass known so far
        self._passes: dict[int, list[list[Example]]] = {}

    def requests(self, step: int) -> list[Callable[[], TokenBatch]]:
        """Functions that read the micro-batches of a step, from any thread."""
        first = (step * self.world + self.rank) * self.accumulate
        return [partial(self.batch, first + number) for number in range(self.accumulate)]

    def batch(self, number: int) -> TokenBatch:
        """Batch `number` of all processes' batches, whatever was asked before.

        Raises ValueError where not one of its recordings can be read.
        """
        examples = self._examples(number)
        rng = np.random.default_rng([self.seed, 2, number])
        sequences, skipped = [], []
        for example in examples:
            try:
                sequence = build(example, self.corpus, self.prompt_builder)
            except (ValueError, OSError) as error:
                skipped.append(reason(error))
                continue
            if example.task == "asr" and self.masking.share:
                config = self.prompt_builder.config
                recorded = sequence.rows[:, 0] == config.audio_user_slot_token_id
                pad = config.audio_pad_code
                rows = mask_frames(sequence.rows, recorded, self.masking, pad, rng)
                sequence = replace(sequence, rows=rows)
            if example.task == "tts" and self.depth_share < 1:
                labels = thin_frames(sequence.labels, self.depth_share, rng)
                sequence = replace(sequence, labels=labels)
            sequences.append(sequence)
        if not sequences:
            raise ValueError(f"no recording of a batch can be read: {skipped[0]}")
        return collate(examples[0].task, sequences, self.prompt_builder, tuple(skipped))

    def _examples(self, number: int) -> list[Example]:
        with self._lock:
            turn = int(np.searchsorted(self._starts, number, side="right")) - 1
            while True:
                batches = self._pass(turn)
                if number < self._starts[turn] + len(batches):
                    return batches[number - self._starts[turn]]
                turn += 1

    def _pass(self, turn: int) -> list[list[Example]]:
        if turn not in self._passes:
            if len(self._passes) > 1:
                self._passes.clear()
            rng = np.random.default_rng([self.seed, 1, turn])
            self._passes[turn] = plan_epoch(
                self.corpus, self.prompt_builder, self.data, self.tasks, rng
            )
        batches = self._passes[turn]
        if turn + 1 == len(self._starts):
            self._starts.append(self._starts[turn] + len(batches))
        return batches


def training_source(
    config: LMTrainConfig,
    corpus: Corpus,
    prompt_builder: PromptBuilder,
    rank: int = 0,
    world: int = 1,
) -> LMBatchSource:
    """The batches that a recipe trains on."""
    return LMBatchSource(
        corpus,
        prompt_builder,
        config.data,
        {task: config.tasks[task] for task in config.task_names},
        masking=config.masking,
        depth_share=config.depth_share,
        seed=config.seed,
        rank=rank,
        world=world,
        accumulate=config.accumulate,
    )

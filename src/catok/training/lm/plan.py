"""What one pass over a corpus reads: every utterance once, in batches of similar length.

Each utterance's task, reference and prefix are drawn anew, lengths are sorted with some jitter, cut
into batches within the budget of rows, and the batches shuffled.
"""

from collections.abc import Iterator

import numpy as np
import torch

from catok.data.prompt_fields import PromptFields
from catok.lm.messages import assistant_message, user_message
from catok.lm.prompt import PromptBuilder
from catok.lm.speech_config import Task
from catok.training.lm.corpus import Corpus
from catok.training.lm.examples import Example, recognition
from catok.training.lm.train_config import LMDataConfig

JITTER = 0.15  # lengths are sorted as if up to this much longer, so that batches vary


def plan_epoch(
    corpus: Corpus,
    prompt_builder: PromptBuilder,
    data: LMDataConfig,
    tasks: dict[Task, float],
    rng: np.random.Generator,
) -> list[list[Example]]:
    """One pass: every utterance in one example, in batches of one task in random order."""
    names, weights = list(tasks), np.array(list(tasks.values()))
    chosen = rng.choice(len(names), size=len(corpus), p=weights / weights.sum())
    references = corpus.draw_references(rng)
    references[rng.random(len(corpus)) >= data.clone] = -1
    most = max(1, round(data.reference_seconds * corpus.space.frame_rate))
    available = np.where(references >= 0, corpus.frames[references], 0)
    taken = np.minimum(available, most)
    starts = rng.integers(available - taken + 1)
    cuts = rng.integers(1, np.maximum(corpus.frames, 2))
    cuts[(corpus.frames < 2) | (rng.random(len(corpus)) >= data.continuation)] = 0
    jitter = 1 + JITTER * rng.random(len(corpus))
    told = np.ones(len(corpus), dtype=bool)
    if data.no_text:  # else nothing is drawn: a seed's batches stay what they were
        told = rng.random(len(corpus)) >= data.no_text

    batches: list[list[Example]] = []
    for number, task in enumerate(names):
        mine = (chosen == number).nonzero()[0]
        speaks = task == "tts"
        lengths = _overhead(task, prompt_builder) + corpus.frames[mine] + corpus.text_lengths[mine]
        if speaks:
            lengths = lengths + np.where(taken[mine] > 0, taken[mine] + 2, 0)
        order = np.argsort(lengths * jitter[mine], kind="stable")
        for group in pack_to_budget(lengths[order], data.rows_per_batch):
            batches.append(
                [
                    Example(
                        task,
                        i,
                        int(references[i]) if speaks else -1,
                        int(starts[i]) if speaks else 0,
                        int(starts[i] + taken[i]) if speaks else 0,
                        int(cuts[i]) if speaks else 0,
                        not speaks or bool(told[i]),
                    )
                    for i in mine[order[group]].tolist()
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

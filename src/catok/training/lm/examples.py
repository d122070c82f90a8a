"""One utterance as rows to learn from: a request to speak it, or to write down what is said.

Paper 6 and 7; rows: `docs/spec/tts-layout.md` (d) and (f).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from catok.lm.loss import IGNORED
from catok.lm.messages import Message, assistant_message, user_message
from catok.lm.prompt import PromptBuilder
from catok.lm.speech_config import Task
from catok.training.lm.corpus import Corpus
from catok.training.lm.train_config import MaskingConfig


@dataclass(frozen=True)
class Example:
    """What is made of utterance `index` in one pass over the data.

    `reference`: an utterance whose voice is given, with its frames from `reference_start` to
    `reference_stop`; -1 for none. `prefix`: so many frames of the recording itself are given.
    `with_text`: False keeps the text to be spoken from the model.
    """

    task: Task
    index: int
    reference: int = -1
    reference_start: int = 0
    reference_stop: int = 0
    prefix: int = 0
    with_text: bool = True


@dataclass(frozen=True, eq=False)
class TrainingSequence:
    """`rows` and `labels` `[T, 1 + n_vq]` int64, labels one row ahead, -100 where nothing is to be
    predicted; `text`, the ids `[S]` of the text alone, none where it is kept from the model.
    """

    rows: Tensor
    labels: Tensor
    text: Tensor


def build(example: Example, corpus: Corpus, prompt_builder: PromptBuilder) -> TrainingSequence:
    """The example's rows. Raises ValueError where codes cannot be read."""
    utterance = corpus.utterances[example.index]
    codes = corpus.codes(example.index)
    text = torch.tensor(prompt_builder.text.encode(utterance.text), dtype=torch.int64)
    if example.task == "asr":
        messages = recognition(codes, utterance.text)
        return TrainingSequence(*prompt_builder.training(messages), text)
    references = None
    if example.reference >= 0:
        reference = corpus.codes(example.reference)
        references = [reference[:, example.reference_start : example.reference_stop]]
    text_to_speak = utterance.text if example.with_text else None
    request = user_message(text_to_speak, utterance.fields, references=references)
    rows, labels = prompt_builder.training([request, assistant_message(codes)])
    if example.prefix:
        first = int((labels[:, 0] != IGNORED).nonzero()[0])
        labels[first : first + example.prefix] = IGNORED
    return TrainingSequence(rows, labels, text if example.with_text else text[:0])


def recognition(codes: Tensor, text: str) -> list[Message]:
    """The conversation in which a recording `[n_vq, F]` is written down."""
    return [Message("user", (codes,)), assistant_message(text)]


def mask_frames(
    rows: Tensor, recorded: Tensor, config: MaskingConfig, pad: int, rng: np.random.Generator
) -> Tensor:
    """Rows `[T, 1 + n_vq]` with spans of the frames `recorded` (bool `[T]`) hidden: codes `pad`.

    As many as come to a random share of them, uniform up to `config.share`.
    """
    places = recorded.nonzero()[:, 0]
    left = int(rng.uniform(0, config.share) * len(places))
    if not left:
        return rows
    rows = rows.clone()
    while left > 0:
        span = min(left, int(rng.integers(1, config.longest + 1)))
        start = int(rng.integers(len(places) - span + 1))
        rows[places[start : start + span], 1:] = pad
        left -= span
    return rows


def thin_frames(labels: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Labels `[T, 1 + n_vq]` in which only a random `share` of the frames keep all codebooks.

    The others keep text and the first codebook; at least one frame is kept whole.
    """
    whole = (labels[:, 2:] != IGNORED).any(dim=1).nonzero()[:, 0]
    dropped = rng.permutation(len(whole))[max(1, round(share * len(whole))) :]
    labels = labels.clone()
    labels[whole[dropped], 2:] = IGNORED
    return labels

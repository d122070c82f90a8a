"""Connectionist temporal classification beside a token language model: text along the frames.

Graves et al. 2006. The temporal transformer's hidden state of a recording's frame is mapped to
`per_frame` positions (80 ms / 4 = 20 ms each by default), because speech has more characters than
frames. In training it helps a small model to learn; afterwards it gives timestamps and partial
results. The frame's hidden state knows nothing after the frame, so the head can be streamed.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from catok.io.stored_weights import StoredWeights
from catok.io.weights import write_weights

CTC = "ctc.safetensors"
_WEIGHT, _BIAS, _SHAPE = "linear.weight", "linear.bias", "shape"


class BaseCTCHead(ABC):
    """From hidden states `width` wide to `per_frame` distributions over `vocab` text ids and a
    blank, which is the last class.
    """

    width: int
    vocab: int
    per_frame: int

    @property
    def blank(self) -> int:
        """The class that stands for no text."""
        return self.vocab

    @abstractmethod
    def log_probs(self, hidden: Tensor) -> Tensor:
        """Hidden states `[B, F, D]` -> log-probabilities `[B, F * per_frame, vocab + 1]` float32.

        Positions of a frame follow each other: `f * per_frame` to `f * per_frame + per_frame - 1`.
        """


class CTCHead(nn.Module, BaseCTCHead):
    """A linear map. Raises ValueError on sizes below 1."""

    def __init__(self, width: int, vocab: int, per_frame: int = 4) -> None:
        super().__init__()
        for name, value in (("width", width), ("vocab", vocab), ("per_frame", per_frame)):
            if value < 1:
                raise ValueError(f"{name} of a CTC head must be at least 1, got {value}")
        self.width, self.vocab, self.per_frame = width, vocab, per_frame
        self.linear = nn.Linear(width, per_frame * (vocab + 1))

    def log_probs(self, hidden: Tensor) -> Tensor:
        """As `BaseCTCHead.log_probs`."""
        logits = self.linear(hidden.to(self.linear.weight.dtype)).float()
        return logits.unflatten(2, (self.per_frame, -1)).flatten(1, 2).log_softmax(dim=-1)

    def forward(
        self,
        hidden: Tensor,
        frames: Tensor,
        labels: Tensor,
        lengths: Tensor,
        empty_counts: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Minus the log-probability of all texts, in nats, and how many labels that is over.

        `hidden` `[B, F, D]`, of which the first `frames` `[B]` int64 count; `labels` `[B, S]`
        int64 below `vocab`, of which the first `lengths` `[B]` count. A text without room in its
        frames adds nothing to either (a label needs one position, two alike in a row one more), nor
        does an empty one, unless `empty_counts`: then it is as many labels as frames, all blank.
        """
        log_probs = self.log_probs(hidden).transpose(0, 1)
        positions = frames * self.per_frame
        losses = F.ctc_loss(
            log_probs, labels, positions, lengths, self.blank, reduction="none", zero_infinity=True
        )
        again = (labels[:, 1:] == labels[:, :-1]).cumsum(dim=1)
        last = (lengths - 2).clamp(min=0)[:, None]
        repeats = again.gather(1, last)[:, 0] if again.shape[1] else torch.zeros_like(lengths)
        room = positions >= lengths + torch.where(lengths > 1, repeats, 0)
        if empty_counts:
            return losses.sum(), torch.where(lengths > 0, lengths * room, frames).sum()
        return (losses * (lengths > 0)).sum(), (lengths * room).sum()

    def save(self, folder: str | Path) -> None:
        """Write `ctc.safetensors` into a model's folder, replaced in one step."""
        shape = torch.tensor([self.width, self.vocab, self.per_frame], device="cpu")
        tensors = {_WEIGHT: self.linear.weight, _BIAS: self.linear.bias, _SHAPE: shape}
        write_weights(Path(folder) / CTC, tensors)

    @classmethod
    def load(cls, folder: str | Path) -> "CTCHead | None":
        """Read a folder's `ctc.safetensors`, as float32; None where there is none.

        Raises ValueError where the file is damaged.
        """
        path = Path(folder) / CTC
        if not path.exists():
            return None
        stored = StoredWeights.open([path], path)
        only = stored.renamed(lambda name: name if name == _SHAPE else None)
        shape = only.read({_SHAPE: torch.empty(3, dtype=torch.int64, device="meta")})[_SHAPE]
        width, vocab, per_frame = shape.tolist()
        weights = stored.renamed(lambda name: None if name == _SHAPE else name)
        head = weights.build(lambda: cls(width, vocab, per_frame))
        head.load_state_dict(weights.read(head.state_dict()), assign=True)
        return head.eval()


def collapse(path: Sequence[int], blank: int) -> list[int]:
    """The tokens that a path spells."""
    tokens, before = [], blank
    for symbol in path:
        if symbol not in (before, blank):
            tokens.append(symbol)
        before = symbol
    return tokens


def best_path(log_probs: Tensor) -> tuple[list[int], float]:
    """The likeliest path through `[T, V + 1]`, the blank last: its symbols and log-probability."""
    values, symbols = log_probs.float().max(dim=1)
    return symbols.tolist(), float(values.double().sum())


def positions_needed(tokens: Sequence[int]) -> int:
    """The shortest path that spells the tokens: a blank parts equal neighbours."""
    return len(tokens) + sum(first == second for first, second in pairwise(tokens))


def align(log_probs: Tensor, tokens: Sequence[int]) -> list[tuple[int, int]]:
    """Where each token stands on the likeliest path that spells them: positions [start, end).

    `log_probs` `[T, V + 1]`, the blank last. Raises ValueError when T positions are too few.
    """
    count, blank = len(log_probs), log_probs.shape[1] - 1
    if positions_needed(tokens) > count:
        raise ValueError(
            f"{len(tokens)} tokens need {positions_needed(tokens)} positions or more, the recording"
            f" has {count}: the text is too long for it"
        )
    if not tokens:
        return []
    symbols = [blank]
    for token in tokens:
        symbols += [token, blank]
    wanted = torch.tensor(symbols, device="cpu")
    table = log_probs.detach().cpu().double()[:, wanted]
    # from one token past a blank to the next
    skips = torch.zeros(len(symbols), dtype=torch.bool, device="cpu")
    skips[3::2] = wanted[3::2] != wanted[1:-2:2]
    never = torch.tensor(float("-inf"), dtype=torch.float64, device="cpu")
    score = torch.full((len(symbols),), float("-inf"), dtype=torch.float64, device="cpu")
    score[:2] = table[0, :2]
    moves = torch.zeros(count, len(symbols), dtype=torch.int64, device="cpu")
    for time in range(1, count):
        one = torch.nn.functional.pad(score[:-1], (1, 0), value=float("-inf"))
        two = torch.nn.functional.pad(score[:-2], (2, 0), value=float("-inf"))
        options = torch.stack([score, one, torch.where(skips, two, never)])
        best, moves[time] = options.max(dim=0)
        score = best + table[time]
    place = len(symbols) - 1 if score[-1] >= score[-2] else len(symbols) - 2
    starts, ends = [0] * len(tokens), [0] * len(tokens)
    for time in range(count - 1, -1, -1):
        if place % 2:
            token = place // 2
            starts[token] = time
            ends[token] = max(ends[token], time + 1)
        place -= int(moves[time, place])
    return list(zip(starts, ends, strict=True))

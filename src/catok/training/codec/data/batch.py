"""What the training loop receives: audio, how much of it exists, and what is said in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad


@dataclass(frozen=True)
class TrainingRow:
    """One row of a batch before padding.

    `audio`: `[C, n]` float32; `band_edge`: highest frequency in Hz that it carries (inf: unknown);
    `text`: None where there is none; `task`: which text task it is for.
    """

    audio: Tensor
    band_edge: float
    text: str | None
    task: str


@dataclass(frozen=True)
class Batch:
    """One rank's rows of a step.

    `audio`: `[B, C, T]` float32 in [-1, 1], T a whole number of frames; `lengths`: `[B]` int64, the
    samples that exist, the rest of a row is zeros; `band_edges`: `[B]` in Hz (inf: unknown);
    `texts`: None where a row has no text or lost some of its words; `tasks`: which text task;
    `skipped`: "path: reason" of each recording that could not be read and was replaced.
    """

    audio: Tensor
    lengths: Tensor
    band_edges: Tensor
    texts: tuple[str | None, ...]
    tasks: tuple[str, ...]
    skipped: tuple[str, ...] = ()


def collate(
    rows: Sequence[TrainingRow], *, frame_size: int, samples: int = 0, skipped: Sequence[str] = ()
) -> Batch:
    """Pad the rows with zeros to the longest, or to `samples` if that is more, in whole frames.

    Raises ValueError when there are no rows.
    """
    if not rows:
        raise ValueError("a batch needs at least one row")
    lengths = [row.audio.shape[1] for row in rows]
    frames = -(-max(samples, *lengths, 1) // frame_size)
    total = frames * frame_size
    return Batch(
        audio=torch.stack([pad(row.audio, (0, total - row.audio.shape[1])) for row in rows]),
        lengths=torch.tensor(lengths),
        band_edges=torch.tensor([row.band_edge for row in rows]),
        texts=tuple(row.text for row in rows),
        tasks=tuple(row.task for row in rows),
        skipped=tuple(skipped),
    )

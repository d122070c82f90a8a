"""Where to cut long recordings: in the quietest frame not far from the limit."""

from collections.abc import Sequence

import torch
from torch import Tensor


def frame_loudness(audio: Tensor, frame_size: int) -> Tensor:
    """Root mean square `[n]` of every whole frame of audio `[C, T]`, channels together."""
    whole = audio.shape[1] // frame_size * frame_size
    frames = audio[:, :whole].reshape(len(audio), -1, frame_size).transpose(0, 1)
    return frames.square().mean(dim=(1, 2)).sqrt()


class LoudnessMeter:
    """`frame_loudness` of audio that comes in pieces of any size."""

    def __init__(self, channels: int, frame_size: int) -> None:
        self._frame_size = frame_size
        self._waiting = torch.zeros(channels, 0, dtype=torch.float32, device="cpu")
        self.empty = self._waiting[0]

    def push(self, samples: Tensor) -> Tensor:
        """Audio `[C, n]` (or `[n]`, mono) -> loudness `[m]` of the frames completed so far."""
        samples = samples.reshape(len(self._waiting), -1).cpu()
        audio = torch.cat([self._waiting, samples], dim=1)
        self._waiting = audio[:, audio.shape[1] // self._frame_size * self._frame_size :]
        return frame_loudness(audio, self._frame_size)


def next_cut(loudness: Sequence[float] | Tensor, limit: int, window: int) -> int:
    """How many frames the first piece has, of a recording that is longer than `limit` frames.

    It ends after the quietest of the last `window` frames before the limit, the latest if several
    are. Only the first `limit` frames are looked at, so that a stream is cut like a file.
    """
    first = max(0, limit - window)
    near = torch.as_tensor(loudness[first:limit]).flip(0)
    return limit - int(near.argmin())


def cut_points(
    loudness: Sequence[float] | Tensor, frames: int, limit: int, window: int
) -> list[tuple[int, int]]:
    """Starts and ends of the pieces `[(start, end), ...]` of a recording of `frames` frames.

    `loudness` holds at least every frame but the last. Raises ValueError for a limit or a window
    below 1 frame.
    """
    if limit < 1 or window < 1:
        raise ValueError(f"limit and window must be 1 frame or more, got {limit} and {window}")
    pieces: list[tuple[int, int]] = []
    start = 0
    while frames - start > limit:
        end = start + next_cut(loudness[start : start + limit], limit, window)
        pieces.append((start, end))
        start = end
    return [*pieces, (start, frames)]

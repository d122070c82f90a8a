"""Reading a recording that is a whole file or a part of one."""

from pathlib import Path

from torch import Tensor

from catok.audio import load_audio


def load_part(
    path: Path, offset: float | None, seconds: float | None, channels: int | None = None
) -> tuple[Tensor, int]:
    """Samples `[C, T]` and their rate in Hz: with an `offset`, so many `seconds` from there.

    Without one the whole file; without `seconds`, until its end. Raises ValueError as `load_audio`
    does, and on a part that lies behind the end of the file.
    """
    audio, rate = load_audio(path, channels=channels)
    if offset is None:
        return audio, rate
    first = round(offset * rate)
    last = audio.shape[1] if seconds is None else first + round(seconds * rate)
    if first >= audio.shape[1]:
        raise ValueError(f"{path} ends before {offset:g} s: correct its offset")
    return audio[:, first:last], rate

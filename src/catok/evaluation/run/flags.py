"""Recordings that cannot be scored, or whose scores say little: silent, clipped or very short."""

from typing import Literal, NamedTuple

from torch import Tensor

SHORTEST = 0.5  # seconds
SILENT_PEAK = 1e-3  # -60 dB of full scale
FULL_SCALE = 0.9999
CLIPPED_SHARE = 1e-3  # of the samples


class Flag(NamedTuple):
    """What is the matter with a recording, in a word and in a sentence; `scored` all the same?"""

    name: Literal["", "unreadable", "short", "silent", "clipped"]
    why: str = ""
    scored: bool = True


def flag(audio: Tensor, sample_rate: int) -> Flag:
    """Look at a recording `[C, T]`.

    "short": under 0.5 s. "silent": no sample above -60 dB of full scale. "clipped": more than 0.1 %
    of the samples at full scale; such a recording is scored, the flag only warns.
    """
    seconds = audio.shape[1] / sample_rate
    if seconds < SHORTEST:
        return Flag("short", f"{seconds:.2f} s long, under {SHORTEST} s", scored=False)
    size = audio.abs()
    if float(size.max()) < SILENT_PEAK:
        return Flag("silent", "no sample above -60 dB of full scale", scored=False)
    share = float((size >= FULL_SCALE).float().mean())
    if share > CLIPPED_SHARE:
        return Flag("clipped", f"{100 * share:.2f} % of the samples are at full scale")
    return Flag("")

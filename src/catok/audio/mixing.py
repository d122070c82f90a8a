"""From the channels of a recording to those that are wanted.

Downmixes follow ITU-R BS.775: the center goes to left and right at -3 dB, each surround channel to
its side at -3 dB, the low-frequency effects channel to nowhere; mono is the sum of left and right.
The weights of an output are divided by their sum, so that nothing clips. What each channel is
follows from how many there are, in the order of WAV and FLAC:

    2  L R                 5  L R C Ls Rs               7  L R C LFE Cs Ls Rs
    3  L R C               6  L R C LFE Ls Rs           8  L R C LFE Lb Rb Ls Rs
    4  L R Ls Rs

which does not hold for the microphones of an array: "mean" is for them.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from catok.audio.resampling import describe
from catok.io.arrays import as_tensor

Downmix = Literal["itu", "mean", "first"]
"""ITU-R BS.775; the mean of all channels; the first ones, without the others."""

_HALF = 0.5**0.5  # -3 dB
_LEFT, _RIGHT, _CENTER, _NOTHING = (1.0, 0.0), (0.0, 1.0), (_HALF, _HALF), (0.0, 0.0)
_SIDE_LEFT, _SIDE_RIGHT, _BEHIND = (_HALF, 0.0), (0.0, _HALF), (0.5, 0.5)
_SURROUND = (_SIDE_LEFT, _SIDE_RIGHT)
_LAYOUTS = {  # channels -> weights in left and right
    2: (_LEFT, _RIGHT),
    3: (_LEFT, _RIGHT, _CENTER),
    4: (_LEFT, _RIGHT, *_SURROUND),
    5: (_LEFT, _RIGHT, _CENTER, *_SURROUND),
    6: (_LEFT, _RIGHT, _CENTER, _NOTHING, *_SURROUND),
    7: (_LEFT, _RIGHT, _CENTER, _NOTHING, _BEHIND, *_SURROUND),
    8: (_LEFT, _RIGHT, _CENTER, _NOTHING, *_SURROUND, *_SURROUND),
}

VORBIS_ORDER = {  # channels of Vorbis and Opus files -> where each of ours lies among theirs
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 5, 3, 4),
    7: (0, 2, 1, 6, 5, 3, 4),
    8: (0, 2, 1, 7, 5, 6, 3, 4),
}


def mix(audio: Tensor | np.ndarray, channels: int, downmix: Downmix = "itu") -> Tensor:
    """Change the channels of `[..., C, T]`.

    From 1 by repetition. To fewer by `downmix`: "itu", to 1 or 2 (see the module; more than 8
    channels, which have no layout, become 1 by their mean); "mean", every output the mean of all;
    "first", the first `channels`. Raises ValueError for any other change, such as stereo to 5.1.
    """
    audio = as_tensor(audio, "audio [..., C, T]")
    if audio.dim() < 2:
        raise ValueError(f"expected [..., C, T], got {describe(audio)}: add C with `audio[None]`")
    have = audio.shape[-2]
    check_mix(have, channels, "audio", downmix)
    if have == channels:
        return audio
    if have == 1:
        return audio.repeat_interleave(channels, dim=-2)
    if downmix == "first":
        return audio[..., :channels, :]
    if downmix == "mean" or have not in _LAYOUTS:
        return audio.mean(dim=-2, keepdim=True).repeat_interleave(channels, dim=-2)
    return _weights(have, channels).to(audio) @ audio


def check_mix(have: int, want: int, name: str, downmix: Downmix = "itu") -> None:
    """Raises ValueError unless `have` channels can become `want`."""
    if downmix not in get_args(Downmix):
        raise ValueError(f"downmix must be one of {list(get_args(Downmix))}, got {downmix!r}")
    if want == have or (have == 1 and want > 0) or (want == 1 and have > 1):
        return
    if 0 < want < have and (downmix != "itu" or (want == 2 and have in _LAYOUTS)):
        return
    ways = f"{have}, 2 or 1" if have in _LAYOUTS and have > 2 else f"{have} or 1"
    besides = ', or downmix="mean" or "first"' if 0 < want < have else ""
    raise ValueError(f"cannot mix {name} of {have} channels into {want}: choose {ways}{besides}")


def check_select(have: int, select: Sequence[int] | None, name: str) -> None:
    """Raises ValueError unless `select` names some of `have` channels, counted from 0."""
    if select is not None and (not select or min(select) < 0 or max(select) >= have):
        raise ValueError(f"{name} has {have} channels, from 0 to {have - 1}, not {list(select)}")


def _weights(have: int, want: int) -> Tensor:
    """Weights `[want, have]`; each row sums to 1."""
    weights = torch.tensor(_LAYOUTS[have], dtype=torch.float64).T
    if want == 1:
        weights = weights.sum(dim=0, keepdim=True)
    return weights / weights.sum(dim=1, keepdim=True)

"""Checks at the door of the tokenizer: each ValueError says what is wrong and what to do.

Tensors and NumPy arrays are taken alike; what a check returns is a tensor.
"""

from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from catok.io.arrays import as_tensor, check_peak

_AXES = {  # what to do with audio of so many axes
    1: "the samples of one mono recording are audio[None, None]",
    2: "one recording [C, T] is audio[None], a batch of mono recordings [B, T] is audio[:, None]",
}


def check_quantizers(wanted: int | None, available: int) -> int:
    """How many codebooks to use; None means all of them."""
    if wanted is None:
        return available
    if isinstance(wanted, bool) or not isinstance(wanted, Integral):
        raise ValueError(f"num_quantizers is a whole number, got {wanted!r}")
    if not 1 <= wanted <= available:
        raise ValueError(f"num_quantizers must be from 1 to {available}, got {wanted}")
    return int(wanted)


def check_audio(audio: Any, channels: int, *, may_be_empty: bool = False) -> Tensor:
    """Audio must be float32 `[B, channels, T]`; T may be 0 if `may_be_empty`."""
    audio = as_tensor(audio, "audio [B, C, T]")
    if not audio.is_floating_point():
        raise ValueError(
            f"audio is {audio.dtype}: divide by full scale (32768 for int16) to get float32 in "
            "[-1, 1]"
        )
    if audio.dtype != torch.float32:
        raise ValueError(
            f"audio must be float32, got {audio.dtype}: call audio.float(), or for a NumPy array "
            'audio.astype("float32")'
        )
    if audio.dim() != 3:
        raise ValueError(
            f"audio must have shape [B, C, T], got {list(audio.shape)}: "
            + _AXES.get(audio.dim(), "take away the axes that are too many")
        )
    if audio.shape[1] != channels:
        raise ValueError(
            f"this model takes {channels} channel(s), the audio has {audio.shape[1]} in shape "
            f"{list(audio.shape)}: mix or repeat channels first (catok.audio.mix)"
        )
    if audio.shape[0] == 0 or (audio.shape[2] == 0 and not may_be_empty):
        raise ValueError(f"audio is empty: shape {list(audio.shape)}")
    return audio


def check_samples(audio: Tensor) -> None:
    """Samples must be finite and at most 60 dB over full scale, as those of files must be.

    Louder ones are integers stored as floats, or damage; one of them overflows inside the model and
    would spoil the codes of frames before and after it. The whole batch is refused, no row encoded.
    """
    if audio.numel():
        low, high = audio.aminmax()  # NaN if there is one
        check_peak(float(torch.maximum(-low, high)), "audio")


def check_lengths(lengths: Any, batch: int, longest: int) -> Tensor:
    """Lengths in samples, int64 `[B]` on the CPU; None means that all rows are full."""
    if lengths is None:
        return torch.full((batch,), longest, dtype=torch.int64, device="cpu")
    lengths = _listed(lengths, "lengths", torch.device("cpu"))
    if lengths.shape != (batch,) or lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ValueError(
            f"lengths must be whole numbers of samples of shape [{batch}], got {lengths.dtype} "
            f"{list(lengths.shape)}"
        )
    lengths = lengths.to("cpu", torch.int64)
    if int(lengths.min()) < 1 or int(lengths.max()) > longest:
        raise ValueError(
            f"lengths must be from 1 to the {longest} samples of the audio, got {lengths.tolist()}"
        )
    return lengths


def check_codes(codes: Any, num_quantizers: int, codebook_size: int) -> Tensor:
    """Codes must be int64 `[B, K, F]`, K at most num_quantizers, values below codebook_size."""
    codes = check_codes_layout(codes, num_quantizers)
    low, high = int(codes.min()), int(codes.max())
    if low < 0 or high >= codebook_size:
        raise ValueError(
            f"codes run from {low} to {high}, valid are 0 to {codebook_size - 1}: remove padding "
            "tokens before decoding"
        )
    return codes


def check_codes_layout(codes: Any, num_quantizers: int, *, may_be_empty: bool = False) -> Tensor:
    """The part of `check_codes` about type and shape; F may be 0 if `may_be_empty`."""
    codes = as_tensor(codes, "codes [B, K, F]")
    if codes.dtype != torch.int64:
        raise ValueError(
            f"codes must be int64, got {codes.dtype}: call codes.long(), or for a NumPy array "
            'codes.astype("int64")'
        )
    if codes.dim() == 2:
        raise ValueError(
            f"codes must have shape [B, K, F], got {list(codes.shape)}: the codes [K, F] of one "
            "recording are codes[None]"
        )
    if codes.dim() != 3 or 0 in codes.shape[: 2 if may_be_empty else 3]:
        raise ValueError(
            f"codes must have shape [B, K, F], none of them 0, got {list(codes.shape)}"
        )
    if codes.shape[1] > num_quantizers:
        raise ValueError(
            f"codes of shape {list(codes.shape)} would hold {codes.shape[1]} codebooks, the model "
            f"has {num_quantizers}: the layout is [B, K, F]; from [K, B, F] use "
            "codes.transpose(0, 1)"
        )
    return codes


def check_active(active: Any, batch: int, device: torch.device) -> Tensor | None:
    """Rows that advance: bool `[B]`; None means all."""
    if active is None:
        return None
    active = _listed(active, "active", device)
    if active.dtype != torch.bool or active.shape != (batch,):
        raise ValueError(
            f"active must be bool of shape [{batch}], got {active.dtype} {list(active.shape)}"
        )
    return None if bool(active.all()) else active


def check_batch_size(batch_size: int) -> int:
    """The number of rows of a stream."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, Integral) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number of at least 1, got {batch_size!r}")
    return int(batch_size)


def _listed(values: Any, what: str, device: torch.device) -> Tensor:
    """One value per row, in a tensor, an array or a list."""
    try:
        return torch.as_tensor(values, device=device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{what}: give one number per row ({error})") from error

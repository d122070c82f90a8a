"""Checks at the door of the tokenizer: each ValueError says what is wrong and what to do."""

import torch
from torch import Tensor


def check_quantizers(wanted: int | None, available: int) -> int:
    """How many codebooks to use; None means all of them."""
    if wanted is None:
        return available
    if isinstance(wanted, bool) or not isinstance(wanted, int):
        raise ValueError(f"num_quantizers is a whole number, got {wanted!r}")
    if not 1 <= wanted <= available:
        raise ValueError(f"num_quantizers must be from 1 to {available}, got {wanted}")
    return wanted


def check_audio(audio: Tensor, channels: int) -> None:
    """Audio must be finite float32 `[B, channels, T]` with B and T at least 1."""
    if not isinstance(audio, Tensor):
        raise ValueError(f"audio must be a torch tensor [B, C, T], got {type(audio).__name__}")
    if audio.dtype in (torch.int16, torch.int32, torch.uint8):
        raise ValueError(
            f"audio is {audio.dtype}: divide by full scale (32768 for int16) to get float32 in "
            "[-1, 1]"
        )
    if audio.dtype != torch.float32:
        raise ValueError(f"audio must be float32, got {audio.dtype}: call audio.float()")
    if audio.dim() != 3:
        raise ValueError(
            f"audio must have shape [B, C, T], got {list(audio.shape)}: add the missing dimensions "
            "with audio[None]"
        )
    if audio.shape[1] != channels:
        raise ValueError(
            f"this model takes {channels} channel(s), the audio has {audio.shape[1]} in shape "
            f"{list(audio.shape)}: mix or repeat channels first (catok.audio.mix)"
        )
    if audio.shape[0] == 0 or audio.shape[2] == 0:
        raise ValueError(f"audio is empty: shape {list(audio.shape)}")


def check_finite(audio: Tensor) -> None:
    """Audio must hold no NaN and no infinity."""
    if not bool(torch.isfinite(audio).all()):
        raise ValueError("audio holds NaN or infinite samples: repair or remove them first")


def check_lengths(lengths: Tensor | None, batch: int, longest: int) -> Tensor:
    """Lengths in samples, int64 `[B]` on the CPU; None means that all rows are full."""
    if lengths is None:
        return torch.full((batch,), longest, dtype=torch.int64)
    lengths = torch.as_tensor(lengths)
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


def check_codes(codes: Tensor, num_quantizers: int, codebook_size: int) -> None:
    """Codes must be int64 `[B, K, F]`, K at most num_quantizers, values below codebook_size."""
    check_codes_layout(codes, num_quantizers)
    low, high = int(codes.min()), int(codes.max())
    if low < 0 or high >= codebook_size:
        raise ValueError(
            f"codes run from {low} to {high}, valid are 0 to {codebook_size - 1}: remove padding "
            "tokens before decoding"
        )


def check_codes_layout(codes: Tensor, num_quantizers: int) -> None:
    """The part of `check_codes` that looks at type and shape only."""
    if not isinstance(codes, Tensor):
        raise ValueError(f"codes must be a torch tensor [B, K, F], got {type(codes).__name__}")
    if codes.dtype != torch.int64:
        raise ValueError(f"codes must be int64, got {codes.dtype}: call codes.long()")
    if codes.dim() != 3 or 0 in codes.shape:
        raise ValueError(
            f"codes must have shape [B, K, F], none of them 0, got {list(codes.shape)}"
        )
    if codes.shape[1] > num_quantizers:
        raise ValueError(
            f"codes of shape {list(codes.shape)} would hold {codes.shape[1]} codebooks, the model "
            f"has {num_quantizers}: the layout is [B, K, F]; from [K, B, F] use "
            "codes.transpose(0, 1)"
        )


def check_active(active: Tensor | None, batch: int, device: torch.device) -> Tensor | None:
    """Rows that advance: bool `[B]`; None means all."""
    if active is None:
        return None
    active = torch.as_tensor(active)
    if active.dtype != torch.bool or active.shape != (batch,):
        raise ValueError(
            f"active must be bool of shape [{batch}], got {active.dtype} {list(active.shape)}"
        )
    return None if bool(active.all()) else active.to(device)

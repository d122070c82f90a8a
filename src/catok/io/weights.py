"""Weights in safetensors files, written whole, finite and with a checksum of every tensor.

The metadata of a file holds the CRC-32 of each tensor's bytes; `stored_weights` verifies them.
Other readers of safetensors ignore it.
"""

import json
import zlib
from collections.abc import Callable, Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from catok.io.files import StrPath, replacing

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
CHECKSUMS = "crc32"  # key of the metadata: a JSON table, tensor name to CRC-32


def float_dtype(dtype: str | torch.dtype) -> torch.dtype:
    """One of `DTYPES`, by its name or as torch's own. Raises ValueError on any other."""
    torch_dtype = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if torch_dtype is None or torch_dtype not in DTYPES.values():
        raise ValueError(f"dtype must be float32, bfloat16 or float16, got {dtype!r}")
    return torch_dtype


def dtype_name(dtype: str | torch.dtype) -> str:
    """As config.json spells it: "float16"."""
    return str(dtype).removeprefix("torch.")


def write_weights(
    path: StrPath,
    tensors: Mapping[str, Tensor],
    dtype: str | torch.dtype | None = None,
    *,
    float32: Callable[[str], bool] = lambda name: False,
) -> None:
    """Write a safetensors file, to a temporary file first.

    `dtype` (one of `DTYPES`) narrows the floats, but for the tensors whose names `float32` holds
    for. Raises ValueError on weights that are not finite, also in `dtype`; OSError where there is
    no room.
    """
    narrow = None if dtype is None else float_dtype(dtype)
    stored = {}
    for name, tensor in tensors.items():
        width = tensor.dtype
        if tensor.is_floating_point():
            width = torch.float32 if float32(name) else narrow or tensor.dtype
        stored[name] = tensor.detach().to("cpu", width).contiguous()
        check_finite(stored[name], f"cannot write {path}: {name}")
    checksums = {name: checksum(tensor) for name, tensor in stored.items()}
    metadata = {"format": "pt", CHECKSUMS: json.dumps(checksums)}
    with replacing(path) as temporary:
        try:
            save_file(stored, temporary, metadata=metadata)
        except SafetensorError as error:
            raise OSError(f"cannot write {path}: is the disk full? ({error})") from error


def checksum(tensor: Tensor) -> int:
    """CRC-32 of a tensor's bytes in row-major order."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return zlib.crc32(flat.view(torch.uint8).numpy().data)


def check_finite(tensor: Tensor, what: str) -> None:
    """Raise ValueError if a float tensor holds NaN or infinity; `what` begins the message."""
    if not tensor.is_floating_point() or not tensor.numel():
        return
    smallest, largest = tensor.aminmax()  # NaN comes out of both
    if not (smallest.isfinite() and largest.isfinite()):
        kind = dtype_name(tensor.dtype)
        raise ValueError(
            f"{what} is not finite in {kind}: the model diverged in training, the file is damaged, "
            "or the dtype is too narrow (bfloat16 and float32 have a wider range than float16)"
        )

"""Files: their names, and writing them so that a crash never leaves half of one."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

StrPath = str | os.PathLike[str]


def name_of(path_or_file: StrPath | BinaryIO) -> str:
    """What to call a path or an open file in messages."""
    if isinstance(path_or_file, (str, os.PathLike)):
        return os.fspath(path_or_file)
    return str(getattr(path_or_file, "name", "the file object"))


@contextmanager
def replacing(path: StrPath) -> Iterator[str]:
    """Context of a new temporary file beside `path`: yields its path, for the caller to fill.

    On a clean exit the temporary file takes the place of `path` in one step; on an exception it
    is removed and whatever `path` held before stays. Raises ValueError when the folder does not
    exist or cannot be written, or when `path` is a folder or a device.
    """
    target = os.path.realpath(path)  # a symbolic link keeps pointing at the new content
    folder, base = os.path.split(target)
    if not os.path.isdir(folder):
        raise ValueError(f"cannot write {path}: folder {folder} does not exist, create it first")
    if os.path.exists(target) and not os.path.isfile(target):
        raise ValueError(f"cannot write {path}: it is not a regular file, choose another name")
    temporary = os.path.join(folder, f".{base[:50]}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            mode = os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise ValueError(f"cannot write in folder {folder}: {error.strerror}") from error
    try:
        yield temporary
        os.chmod(temporary, mode)  # a writer that makes the file anew may have closed it to others
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.remove(temporary)
        raise


def write_safetensors(
    path: StrPath, tensors: Mapping[str, Tensor], dtype: torch.dtype | None = None
) -> None:
    """`save_file` through `replacing`; `dtype` narrows the floats.

    Raises OSError where there is no room for it.
    """
    stored = {
        name: tensor.detach()
        .to("cpu", dtype if tensor.is_floating_point() else tensor.dtype)
        .contiguous()
        for name, tensor in tensors.items()
    }
    with replacing(path) as temporary:
        try:
            save_file(stored, temporary, metadata={"format": "pt"})
        except SafetensorError as error:
            raise OSError(f"cannot write {path}: is the disk full? ({error})") from error

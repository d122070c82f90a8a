"""The state of a run on disk: all that is needed to go on as if nothing had happened.

One file, last.pt, holds it; of a run whose weights are sharded over processes see `sharded`.
"""

import zipfile
from pathlib import Path
from typing import Any

import torch

from catok.io.files import replacing

LAST = "last.pt"


def save_run(folder: Path, state: dict[str, Any]) -> None:
    """Write `state` to folder/last.pt: first to a temporary file, then renamed over the old one.

    Killed or out of disk space on the way, the old one stays. Raises OSError in the latter case.
    """
    write_tensors(folder / LAST, state)


def write_tensors(path: Path, data: dict[str, Any]) -> None:
    """`torch.save` that never leaves half a file. Raises OSError where there is no room for it."""
    with replacing(path) as temporary:
        try:
            torch.save(data, temporary)
        except RuntimeError as error:  # as torch reports a full disk
            raise OSError(f"cannot write {path}: is the disk full? ({error})") from error


def load_run(folder: Path) -> dict[str, Any] | None:
    """The saved state of a run, on the CPU, or None where there is none yet.

    Raises ValueError where it is damaged: PyTorch writes checksums into the file, and does not
    compare them.
    """
    path = folder / LAST
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
        if damaged is not None:
            raise ValueError(f"the checksum of {damaged} differs")
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise ValueError("it holds no state of a run")
    except Exception as error:
        raise ValueError(f"{path} cannot be read ({error}): remove it to start anew") from error
    return state

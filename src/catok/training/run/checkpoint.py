"""The state of a run on disk: all that is needed to go on as if nothing had happened.

One file, last.pt, holds it; of a run whose weights are sharded over processes, a folder, last/,
which every process writes its part of.
"""

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader

from catok.io.files import replacing
from catok.training.distributed import Group

LAST, SHARDED = "last.pt", "last"


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
    """The saved state of a run, on the CPU, or None where there is none yet."""
    path = folder / LAST
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path} cannot be read ({error}): remove it to start anew") from error


def save_sharded(folder: Path, state: dict[str, Any], group: Group) -> None:
    """Write sharded `state` to folder/last/, every process its part; the old one stays until the
    new one is whole.
    """
    new, old = folder / f"{SHARDED}.new", folder / f"{SHARDED}.old"
    if group.first:
        shutil.rmtree(new, ignore_errors=True)
    group.wait()
    state_dict_saver.save(state, checkpoint_id=new)
    group.wait()
    if group.first:
        if (folder / SHARDED).exists():  # else a kill came here before, and `old` is all there is
            shutil.rmtree(old, ignore_errors=True)
            os.replace(folder / SHARDED, old)
        os.replace(new, folder / SHARDED)
        shutil.rmtree(old, ignore_errors=True)
    group.wait()


def load_sharded(path: Path, state: dict[str, Any]) -> None:
    """Fill `state`, of the saved layout, in place; every process takes its part.

    Raises ValueError where the saved one lacks something, or is damaged.
    """
    try:
        state_dict_loader.load(state, checkpoint_id=path)
    except CheckpointException as error:
        reasons = sorted({str(reason) for reason, _ in error.failures.values()})
        raise ValueError(
            f"{path} cannot be read, or is of other networks ({reasons[0]}): remove it to start "
            "anew"
        ) from error


def names_in_sharded(path: Path) -> set[str]:
    """The names of everything in a sharded state, keys of nested dictionaries joined by dots."""
    try:
        return set(FileSystemReader(path).read_metadata().state_dict_metadata)
    except Exception as error:
        raise ValueError(f"{path} cannot be read ({error}): remove it to start anew") from error


def find_sharded(folder: Path) -> Path | None:
    """The newest whole sharded state, also after a kill between two renames; or None."""
    for name in (SHARDED, f"{SHARDED}.old"):
        if (folder / name / ".metadata").is_file():
            return folder / name
    return None

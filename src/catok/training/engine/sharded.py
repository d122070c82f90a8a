"""The state of a run whose weights are spread over processes: a folder, last/, which every process
writes its part of.

PyTorch keeps the folder's index as a pickle, and unpickles what is no tensor: both are read here
with lists of what may be in them, because a run's folder may come from somebody else.
"""

import io
import json
import os
import pickle
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta
from torch.distributed.checkpoint.planner import ReadItem

from catok.training.engine.distributed import Group

SHARDED = "last"
INDEX = ".metadata"

_METADATA = "torch.distributed.checkpoint.metadata"
_ALLOWED = {
    *(
        (_METADATA, name)
        for name in (
            "BytesStorageMetadata",
            "ChunkStorageMetadata",
            "Metadata",
            "MetadataIndex",
            "StorageMeta",
            "TensorProperties",
            "TensorStorageMetadata",
            "_MEM_FORMAT_ENCODING",
        )
    ),
    ("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
    ("torch.serialization", "_get_layout"),
    ("torch", "Size"),
    ("collections", "OrderedDict"),
    ("pathlib", "PosixPath"),
    ("pathlib", "WindowsPath"),
}


def save_sharded(folder: Path, state: dict[str, Any], group: Group) -> None:
    """Write sharded `state` to folder/last/, every process its part; the old one stays until the
    new one is whole.
    """
    new, old = folder / f"{SHARDED}.new", folder / f"{SHARDED}.old"
    if group.is_main:
        shutil.rmtree(new, ignore_errors=True)
    group.barrier()
    state_dict_saver.save(state, checkpoint_id=new)
    group.barrier()
    files = sorted(file for file in new.iterdir() if not file.name.startswith("crc32-"))
    group.barrier()  # or else some list what others have added
    sums = {file.name: _crc32(file) for file in files[group.rank :: group.world_size]}
    (new / f"crc32-{group.rank}.json").write_text(json.dumps(sums))
    group.barrier()
    if group.is_main:
        if (folder / SHARDED).exists():  # else a kill came here before, and `old` is all there is
            shutil.rmtree(old, ignore_errors=True)
            os.replace(folder / SHARDED, old)
        os.replace(new, folder / SHARDED)
        shutil.rmtree(old, ignore_errors=True)
    group.barrier()


def load_sharded(path: Path, state: dict[str, Any], group: Group) -> None:
    """Fill `state`, of the saved layout, in place; every process takes its part.

    Raises ValueError where the saved one lacks something, or is damaged.
    """
    _check_sums(path, group)
    try:
        state_dict_loader.load(state, storage_reader=_Reader(path), planner=_Planner())
    except CheckpointException as error:
        reasons = sorted({str(reason) for reason, _ in error.failures.values()})
        raise ValueError(
            f"{path} cannot be read, or is of other networks ({reasons[0]}): remove it to start "
            "anew"
        ) from error


def names_in_sharded(path: Path) -> set[str]:
    """The names of everything in a sharded state, keys of nested dictionaries joined by dots."""
    return set(_read_index(path).state_dict_metadata)


def find_sharded(folder: Path) -> Path | None:
    """The newest whole sharded state, also after a kill between two renames; or None."""
    for name in (SHARDED, f"{SHARDED}.old"):
        if (folder / name / INDEX).is_file():
            return folder / name
    return None


class _Unpickler(pickle.Unpickler):
    """Makes nothing but what an index is made of."""

    def find_class(self, module: str, name: str) -> Any:
        dtype = module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)
        if not dtype and (module, name) not in _ALLOWED:
            raise ValueError(f"it holds {module}.{name}, which is no part of a saved state")
        return super().find_class(module, name)


def _read_index(path: Path) -> Metadata:
    try:
        with (path / INDEX).open("rb") as file:
            index = _Unpickler(file).load()
        if not isinstance(index, Metadata) or not isinstance(index.state_dict_metadata, dict):
            raise ValueError("it is no index of a saved state")
    except Exception as error:  # unpickling damage may raise anything
        raise ValueError(f"{path} cannot be read ({error}): remove it to start anew") from error
    return index


class _Reader(FileSystemReader):
    def read_metadata(self, *_: Any, **__: Any) -> Metadata:
        index = _read_index(Path(self.path))
        index.storage_meta = StorageMeta(load_id=self.load_id)
        return index


class _Planner(DefaultLoadPlanner):
    def load_bytes(self, read_item: ReadItem, value: io.BytesIO) -> None:
        content = torch.load(value, map_location="cpu", weights_only=True)
        clean = io.BytesIO()
        torch.save(content, clean)
        super().load_bytes(read_item, io.BytesIO(clean.getvalue()))


def _check_sums(path: Path, group: Group) -> None:
    """Compare the files with their checksums, each process some of them; older ones have none."""
    sums: dict[str, int] = {}
    try:
        for file in sorted(path.glob("crc32-*.json")):
            sums |= json.loads(file.read_text())
        share: Sequence[str] = sorted(sums)[group.rank :: group.world_size]
        damaged = next(
            (name for name in share if _crc32(path / Path(name).name) != sums[name]), None
        )
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} cannot be read ({error}): remove it to start anew") from error
    if damaged is not None:
        raise ValueError(f"{path / damaged} is damaged (its checksum differs): copy it again")


def _crc32(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while content := file.read(1 << 20):
            total = zlib.crc32(content, total)
    return total

"""Reading folders of weights, the same way for every kind of model.

Nothing that a file or its configuration asks for is allocated before the names and shapes of all
tensors agree: a model is built without memory, compared with the headers of its files, then filled.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from catok.io.files import StrPath
from catok.io.json import parse_object, read_json
from catok.io.weights import CHECKSUMS, check_finite, checksum, float_dtype

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
FLOATS = ("F64", "F32", "F16", "BF16")  # as safetensors spells them

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class StoredTensor:
    """What a header says of a tensor: its file and name there, shape, dtype, and CRC-32 if any."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: str
    checksum: int | None


@dataclass(frozen=True)
class StoredWeights:
    """The tensors of some safetensors files by name, known from their headers alone.

    `where` is what error messages call them.
    """

    where: str
    tensors: Mapping[str, StoredTensor]

    @classmethod
    def open(cls, files: Iterable[Path], where: StrPath) -> "StoredWeights":
        """Read the headers. Raises ValueError on files that are missing, damaged or cut short."""
        tensors: dict[str, StoredTensor] = {}
        for file in files:
            for tensor in _read_header(file):
                if tensor.name in tensors:
                    raise ValueError(f"{where} holds {tensor.name} twice: fetch it again")
                tensors[tensor.name] = tensor
        return cls(str(where), tensors)

    @classmethod
    def of_folder(cls, folder: Path) -> "StoredWeights":
        """Those of a model's folder: see `weight_files`."""
        return cls.open(weight_files(folder), folder)

    def renamed(self, rename: Callable[[str], str | None]) -> "StoredWeights":
        """Under other names, without those that `rename` gives None for.

        Raises ValueError where two get one name.
        """
        renamed: dict[str, StoredTensor] = {}
        for old, tensor in self.tensors.items():
            name = rename(old)
            if name in renamed:
                raise ValueError(f"{self.where} holds {name} twice: fetch it again")
            if name is not None:
                renamed[name] = tensor
        return replace(self, tensors=renamed)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of every tensor, by name."""
        return {name: tensor.shape for name, tensor in self.tensors.items()}

    def build(self, make: Callable[[], Module]) -> Module:
        """The module that `make` builds, on the meta device: without memory for its weights.

        Raises ValueError on impossible sizes, and on a module of far more tensors than are stored
        as soon as it has them.
        """
        try:
            with torch.device("meta"), _Bounded(10_000 + 64 * len(self.tensors)):
                return make()
        except (_TooLarge, RuntimeError, OverflowError, TypeError, MemoryError) as error:
            raise ValueError(
                f"{self.where}: the weights do not belong to this configuration ({error})"
            ) from error

    def read(
        self,
        wanted: Mapping[str, Tensor],
        dtype: str | torch.dtype = torch.float32,
        *,
        float32: Callable[[str], bool] = lambda name: False,
    ) -> dict[str, Tensor]:
        """All tensors, which must be those of `wanted` in name and shape, on the CPU.

        Floats become `dtype` one by one, so that a large model is never held in two widths, but
        float32 where `float32` holds for the name. Raises ValueError on any disagreement, before a
        tensor is read; on a wrong checksum; and on weights that are not finite.
        """
        narrow = float_dtype(dtype)
        self._compare(wanted)
        tensors: dict[str, Tensor] = {}
        for file in sorted({tensor.file for tensor in self.tensors.values()}):
            try:
                with safe_open(file, framework="pt") as shard:
                    for name, stored in self.tensors.items():
                        if stored.file == file:
                            width = torch.float32 if float32(name) else narrow
                            tensors[name] = _read_tensor(shard, stored, width)
            except (SafetensorError, OSError) as error:
                raise ValueError(f"{file} cannot be read ({error}): fetch it again") from error
        return {name: tensors[name] for name in wanted}

    def _compare(self, wanted: Mapping[str, Tensor]) -> None:
        pairs = [
            (name, self.tensors[name], wanted[name]) for name in wanted if name in self.tensors
        ]
        disagreements = {
            "missing": sorted(set(wanted) - set(self.tensors)),
            "unknown": sorted(set(self.tensors) - set(wanted)),
            "wrongly shaped": [
                f"{name}: file {list(stored.shape)}, config {list(tensor.shape)}"
                for name, stored, tensor in pairs
                if stored.shape != tuple(tensor.shape)
            ],
            "wrongly typed": [
                f"{name}: {stored.dtype}"
                for name, stored, tensor in pairs
                if (stored.dtype in FLOATS) != tensor.is_floating_point()
            ],
        }
        for what, names in disagreements.items():
            if names:
                raise ValueError(
                    f"{self.where}: {len(names)} {what} tensors, such as {names[:3]}; the weights "
                    "do not belong to this configuration"
                )


def weight_files(folder: Path) -> list[Path]:
    """The shards that a folder's index lists, or its single file. ValueError if one is missing."""
    if (folder / INDEX).exists():
        table = read_json(folder / INDEX).get("weight_map")
        names = list(table.values()) if isinstance(table, dict) else []
        if not names or not all(isinstance(name, str) and _is_plain(name) for name in names):
            raise ValueError(f"{folder / INDEX} is damaged: fetch it again")
        files = [folder / name for name in sorted(set(names))]
    elif (folder / WEIGHTS).exists():
        files = [folder / WEIGHTS]
    else:
        files = sorted(folder.glob("model-*.safetensors"))
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        raise ValueError(f"{folder} lacks weights: {missing or WEIGHTS}; fetch the whole folder")
    return files


def _is_plain(name: str) -> bool:
    """Whether this is the name of a safetensors file in the same folder."""
    return name.endswith(".safetensors") and not set(name) & set("/\\\0")


def _read_header(file: Path) -> list[StoredTensor]:
    if not file.is_file():  # also a pipe or a device, which could block or never end
        raise ValueError(f"cannot read {file}: there is no such file; fetch the whole folder")
    try:
        with safe_open(file, framework="pt") as shard:
            checksums = _checksums(shard.metadata(), file)
            names = list(shard.keys())
            slices = [shard.get_slice(name) for name in names]
            shapes = [(tuple(part.get_shape()), part.get_dtype()) for part in slices]
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file} cannot be read ({error}): fetch it again") from error
    if checksums is not None and set(checksums) != set(names):
        raise ValueError(f"{file} is damaged: fetch it again")
    return [
        StoredTensor(file, name, shape, dtype, None if checksums is None else checksums[name])
        for name, (shape, dtype) in zip(names, shapes, strict=True)
    ]


def _checksums(metadata: Mapping[str, str] | None, file: Path) -> dict[str, Any] | None:
    text = (metadata or {}).get(CHECKSUMS)
    return None if text is None else parse_object(text, f"{CHECKSUMS} in {file}")


def _read_tensor(shard: Any, stored: StoredTensor, dtype: torch.dtype) -> Tensor:
    tensor: Tensor = shard.get_tensor(stored.name)
    if stored.checksum is not None and checksum(tensor) != stored.checksum:
        raise ValueError(f"{stored.file} is damaged ({stored.name}): fetch or save it again")
    if tensor.is_floating_point():
        tensor = tensor.to(dtype)
    check_finite(tensor, f"{stored.file}: {stored.name}")
    return tensor


class _TooLarge(Exception):
    """More operations than it takes to build a model of the stored size."""


class _Bounded(TorchFunctionMode):
    """Context in which at most `calls` functions of torch can be called."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._left = calls

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _TooLarge("it asks for far more tensors than are stored")
        return func(*args, **(kwargs or {}))

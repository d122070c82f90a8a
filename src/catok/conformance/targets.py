"""Ports by the names that the command line takes."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from catok.conformance.kit import Variant, variant_of
from catok.conformance.models import VARIANTS
from catok.conformance.ports import ClassPort, Loaded, Port, TokenizerCalls, imported_class
from catok.conformance.tasks import Task
from catok.io.hub import find_folder, model_name
from catok.io.kinds import ONNX, TOKENIZER, check_kind, folder_kind
from catok.tokenizer.tokenizer import CausalAudioTokenizer

KINDS = ("torch", "hf", "onnx")


def port_named(target: str, *, converted: bool = False, **options: Any) -> Port:
    """The port that `target` names.

    "torch", "hf" and "onnx" are this package's classes on the kit's own models (exported first, for
    "onnx"), "module:Class" any class with `from_pretrained(folder)`. A folder, or "hf:FOLDER",
    holds what was made of the kit's models: a folder for each variant, of weights or of ONNX
    graphs; with `converted` it is one model itself. `options` go to `from_pretrained`. Raises
    ValueError where nothing is found.
    """
    kind, _, rest = target.partition(":")
    if target == "onnx":
        return ExportedPort(**options)
    if target in KINDS:
        return ClassPort(_class(target), target, **options)
    if kind == "hf" and rest:
        return ClassPort(_class("hf"), target, _finder(rest, converted), **options)
    if rest and not Path(target).exists():
        return ClassPort(imported_class(target), target, **options)
    return ClassPort(_AsIs, target, _finder(target, converted), **options)


class ExportedPort:
    """onnxruntime, on graphs that are exported from each variant's model."""

    name = "onnx"

    def __init__(self, **options: Any) -> None:
        self._options = options

    def load(self, variant: Variant, tasks: Sequence[Task]) -> Loaded:
        """Export and load it. Raises ValueError where onnx or onnxruntime is missing."""
        from catok.export import export_tokenizer

        place = tempfile.TemporaryDirectory(prefix="catok-onnx-")
        export_tokenizer(CausalAudioTokenizer.from_pretrained(variant.folder), place.name)
        return _Exported(_AsIs.from_pretrained(place.name, **self._options), place)


class _Exported(TokenizerCalls):
    """Keeps the folder of graphs, which are loaded one by one, as long as it is used itself."""

    def __init__(self, tokenizer: Any, place: tempfile.TemporaryDirectory) -> None:
        super().__init__(tokenizer)
        self._place = place


class _AsIs:
    """A folder on the backend that its files are for."""

    @classmethod
    def from_pretrained(cls, folder: str | Path, **options: Any) -> Any:
        backend = "onnx" if folder_kind(folder) == ONNX else "torch"
        return CausalAudioTokenizer.from_pretrained(folder, backend=backend, **options)


def is_model(target: str) -> bool:
    """Whether a target is a tokenizer's folder, an embedded name or a hub id, and not a kit's."""
    if target in KINDS or (":" in target and not Path(target).exists()):
        return False
    if Path(target).is_dir() and folder_kind(target) == ONNX:
        raise ValueError(f"{target} holds ONNX graphs: name the model they are of, with --model")
    return not any((Path(target) / name).is_dir() for name in VARIANTS)


def model_variant(name_or_path: str) -> Variant:
    """Vectors of one tokenizer, made now by the reference. Raises ValueError if it is none."""
    folder = find_folder(name_or_path)
    check_kind(folder, TOKENIZER)
    return variant_of(folder, model_name(name_or_path))


def _class(kind: str) -> Any:
    if kind == "hf":
        from catok.extras import require

        require("tts", "transformers")
        from catok.hf import CatokModel

        return CatokModel
    return CausalAudioTokenizer


def _finder(name: str, converted: bool) -> Callable[[Variant], Path]:
    root = find_folder(name)

    def find(variant: Variant) -> Path:
        folder = root if converted else root / variant.name
        if not folder.is_dir():
            raise ValueError(f"{root} has no folder {variant.name}, made of the kit's model")
        return folder

    return find

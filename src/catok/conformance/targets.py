"""Ports by the names that the command line takes."""

from pathlib import Path
from typing import Any

from catok.conformance.kit import Variant, variant_of
from catok.conformance.models import VARIANTS
from catok.conformance.ports import ClassPort, Port, imported_class
from catok.io.hub import find_folder, model_name
from catok.io.kinds import TOKENIZER, check_kind

KINDS = ("torch", "hf")


def port_named(target: str, *, converted: bool = False, **options: Any) -> Port:
    """The port that `target` names.

    "torch" and "hf" are this package's classes on the kit's own folders, "module:Class" any class
    with `from_pretrained(folder)`. A folder, or "hf:FOLDER", holds what was made of the kit's
    models: a folder for each variant; with `converted` it is one model itself. `options` go to
    `from_pretrained`. Raises ValueError where nothing is found.
    """
    kind, _, rest = target.partition(":")
    if target in KINDS:
        return ClassPort(_class(target), target, **options)
    if kind in KINDS and rest:
        return ClassPort(_class(kind), target, _finder(rest, converted), **options)
    if rest and not Path(target).exists():
        return ClassPort(imported_class(target), target, **options)
    return ClassPort(_class("torch"), target, _finder(target, converted), **options)


def is_model(target: str) -> bool:
    """Whether a target is a tokenizer's folder, an embedded name or a hub id, and not a kit's."""
    if target in KINDS or (":" in target and not Path(target).exists()):
        return False
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
    from catok.tokenizer.tokenizer import CausalAudioTokenizer

    return CausalAudioTokenizer


def _finder(name: str, converted: bool):
    root = find_folder(name)

    def find(variant: Variant) -> Path:
        folder = root if converted else root / variant.name
        if not folder.is_dir():
            raise ValueError(f"{root} has no folder {variant.name}, made of the kit's model")
        return folder

    return find

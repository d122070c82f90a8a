"""What is imported late: packages that only evaluation needs, and classes named on a command line.

What is missing is explained.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from catok.extras import install
from catok.io.transformers import from_transformers

INSTALL = install("eval")


def import_extra(name: str, install: str = INSTALL) -> ModuleType:
    """The module `name`. Raises ValueError with the command that installs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ValueError(f"{package} is not installed: {install}") from error


def package_file(package: str, path: str, install: str = INSTALL) -> Path:
    """A file inside an installed package, of which nothing is imported.

    Raises ValueError with the command that installs it.
    """
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # ValueError: someone has barred the import
        spec = None
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder, path)
        if file.exists():
            return file
    raise ValueError(f"{package} is not installed: {install}")


PYTHON = "python="  # before a class of one's own, as `--metrics` and `--baselines` take it


def parse_python(text: str) -> tuple[str, str]:
    """From "python=module:Class[:SETTINGS]": "module:Class" and the settings, "" for none.

    "module.Class" is taken as well. Raises ValueError on anything else.
    """
    first, colon, rest = text.removeprefix(PYTHON).partition(":")
    if colon and (_is_module(first) or "." not in first or ":" in rest):
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


def _is_module(name: str) -> bool:
    """Whether there is a module of that name; the packages that hold it are imported."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


@contextmanager
def pretrained_loader(
    what: str, source: str | Path, advice: str = ""
) -> Iterator[Callable[..., Any]]:
    """Context with a function: class name and options -> what its `from_pretrained` gives.

    `source`: a local folder, which never touches the network, or a hub id. Raises ValueError when
    transformers is missing, and for whatever fails inside the context: that `what` cannot be
    loaded, why, and `advice`.
    """
    transformers = import_extra("transformers")

    def load(class_name: str, **options: Any) -> Any:
        loader = getattr(transformers, class_name)
        return from_transformers(loader, source, **options)

    try:
        yield load
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        why = str(error).strip().rstrip(".")
        advice = f". {advice}" if advice else ""
        raise ValueError(f"cannot load {what} from {source}: {why}{advice}") from error

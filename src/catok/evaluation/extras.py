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

"""Packages that only evaluation needs: imported late, and missing ones explained."""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from catok.extras import install

INSTALL = install("eval")


def extra(name: str, install: str = INSTALL) -> ModuleType:
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
        found = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # ValueError: someone has barred the import
        found = None
    for folder in (found and found.submodule_search_locations) or ():
        file = Path(folder, path)
        if file.exists():
            return file
    raise ValueError(f"{package} is not installed: {install}")

"""The state of a run on disk: all that is needed to go on as if nothing had happened."""

from pathlib import Path
from typing import Any

import torch

from catok.files import replacing

LAST = "last.pt"


def save_run(folder: Path, state: dict[str, Any]) -> None:
    """Write `state` to folder/last.pt: first to a temporary file, then renamed over the old one."""
    with replacing(folder / LAST) as temporary:
        torch.save(state, temporary)


def load_run(folder: Path) -> dict[str, Any] | None:
    """The saved state of a run, on the CPU, or None where there is none yet."""
    path = folder / LAST
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path} cannot be read ({error}): remove it to start anew") from error

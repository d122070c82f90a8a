"""The settings of a folder of results: only what belongs together is added to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def check_settings(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises ValueError, naming what differs, where `folder` was made with other settings."""
    names = sorted(set(before) | set(now))
    other = [name for name in names if before.get(name) != now.get(name)]
    if other:
        changes = "; ".join(
            f"{name}: {before.get(name)!r} then, {now.get(name)!r} now" for name in other
        )
        raise ValueError(
            f"{folder} holds results with other settings ({changes}): "
            "use the same ones to go on, choose another output folder, or delete this one"
        )

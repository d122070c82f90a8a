"""What a saved run holds, checked before it takes the place of what is there."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor


def check_saved(saved: Any, current: Mapping[str, Tensor], what: str) -> None:
    """Check that saved tensors can take the place of our own: names, shapes, finite numbers.

    Raises ValueError. Loading does not always look: some operators write past the end of tensors
    that are smaller than they think.
    """
    if not isinstance(saved, Mapping) or set(saved) != set(current):
        raise ValueError(f"it is of other networks, or damaged: {what} has other names")
    for name, value in current.items():
        tensor = saved[name]
        if (
            not isinstance(tensor, Tensor)
            or tensor.shape != value.shape
            or tensor.is_floating_point() != value.is_floating_point()
            or tensor.layout != value.layout
        ):
            raise ValueError(
                f"it is of other networks, or damaged: {what} has another shape or kind of {name}"
            )
        local = tensor.to_local() if isinstance(tensor, DTensor) else tensor
        if not torch.isfinite(local).all():
            raise ValueError(f"it has diverged or is damaged: {what} has NaN or infinity in {name}")


def saved_step(state: Mapping[str, Any]) -> int:
    """How many steps a saved run has done. Raises ValueError where that is no such number."""
    step = state.get("step")
    if not isinstance(step, int) or isinstance(step, bool) or step < 0:
        raise ValueError(f"it is damaged: its step is {step!r}")
    return step


def changed_settings(then: Any, now: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The settings of a saved run that are others now: what they were, and what they are (None:
    not there), by keys as `--set` takes them. Empty where the run did not keep its settings.
    """
    if not isinstance(then, Mapping):
        return {}
    changes: dict[str, list[Any]] = {}
    for key, old in sorted(then.items(), key=lambda item: str(item[0])):
        new = now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            inside = changed_settings(old, new)
            changes |= {f"{key}.{name}": change for name, change in inside.items()}
        elif key not in now or old != new:
            changes[str(key)] = [old, new]
    return changes


def described(changes: Mapping[str, Sequence[Any]]) -> str:
    """`changed_settings` in words: "ema 0.0 -> 0.99, data.batch_size 4 -> 8"."""
    return ", ".join(f"{name} {_text(old)} -> {_text(new)}" for name, (old, new) in changes.items())


@contextmanager
def going_on(folder: Path, changes: Mapping[str, Sequence[Any]]) -> Iterator[None]:
    """Context of taking over the saved run in `folder`: errors say where it lies, what was changed
    since, and what to do.
    """
    try:
        yield
    except ValueError as error:
        since = f"; changed since: {described(changes)}" if changes else ""
        raise ValueError(
            f"cannot go on with the run in {folder}: {error}{since}. Give it the settings it was "
            "begun with, or choose another folder (--out)"
        ) from error


def _text(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)

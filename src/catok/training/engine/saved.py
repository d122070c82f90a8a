"""What a saved run holds, checked before it takes the place of what is there."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor


def check_saved(saved: Any, own: Mapping[str, Tensor], what: str) -> None:
    """Check that saved tensors can take the place of our own: names, shapes, finite numbers.

    Raises ValueError. Loading does not always look: some operators write past the end of tensors
    that are smaller than they think.
    """
    if not isinstance(saved, Mapping) or set(saved) != set(own):
        raise ValueError(f"the saved run is of other networks, or damaged: {what} has other names")
    for name, value in own.items():
        found = saved[name]
        if (
            not isinstance(found, Tensor)
            or found.shape != value.shape
            or found.is_floating_point() != value.is_floating_point()
            or found.layout != value.layout
        ):
            raise ValueError(
                f"the saved run is of other networks, or damaged: {what} has another shape or kind "
                f"of {name}"
            )
        local = found.to_local() if isinstance(found, DTensor) else found
        if not torch.isfinite(local).all():
            raise ValueError(
                f"the saved run has diverged or is damaged: {what} has NaN or infinity in {name}"
            )


def saved_step(state: Mapping[str, Any]) -> int:
    """How many steps a saved run has done. Raises ValueError where that is no such number."""
    step = state.get("step")
    if not isinstance(step, int) or isinstance(step, bool) or step < 0:
        raise ValueError(f"the saved run is damaged: its step is {step!r}")
    return step


def changed_settings(then: Any, now: Mapping[str, Any]) -> list[str]:
    """The settings of a saved run that are others now; none where it did not keep them."""
    if not isinstance(then, Mapping):
        return []
    return sorted(str(key) for key in then if key not in now or then[key] != now[key])

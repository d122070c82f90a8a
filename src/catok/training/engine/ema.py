"""A moving average of weights: smoother than they are, and free of their last jump."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from catok.training.engine.saved import check_saved


class ExponentialMovingAverage:
    """average <- decay * average + (1 - decay) * weights, after every step.

    Young averages forget faster: at step t the decay is at most (1 + t) / (10 + t).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.average = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the weights as they are now."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, parameter in module.named_parameters():
            self.average[name].lerp_(parameter, 1 - decay)

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[None]:
        """Within it the module has the averaged weights; afterwards its own again."""
        weights = {name: p.detach().clone() for name, p in module.named_parameters()}
        _write(module, self.average)
        try:
            yield
        finally:
            _write(module, weights)

    def state_dict(self) -> dict[str, Tensor | int]:
        """The average and how often it was updated."""
        return {"updates": self.updates, **self.average}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave. Raises ValueError where it is of another module."""
        saved = dict(state) if isinstance(state, Mapping) else {}
        updates = saved.pop("updates", None)
        check_saved(saved, self.average, "the moving average")
        if not isinstance(updates, int) or updates < 0:
            raise ValueError(f"the moving average was updated {updates!r} times: it is damaged")
        self.updates = updates
        for name, value in self.average.items():
            value.copy_(saved[name])


@torch.no_grad()
def _write(module: nn.Module, values: dict[str, Tensor]) -> None:
    for name, parameter in module.named_parameters():
        parameter.copy_(values[name])

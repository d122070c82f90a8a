"""Tensors that depend on numbers only (windows, filter banks), made once."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def constant(function: Callable[P, R]) -> Callable[P, R]:
    """Remember what a function of hashable arguments returns; nobody may change it in place.

    The tensors are ordinary ones wherever they are first asked for: made under `inference_mode`
    they could not be used in training later, and on a default device they would stay there.
    `function` names the device and the dtype of what it makes.
    """

    @lru_cache(maxsize=64)
    @wraps(function)
    def build(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch.inference_mode(False), torch.device("cpu"):
            return function(*args, **kwargs)

    return build  # type: ignore[return-value]

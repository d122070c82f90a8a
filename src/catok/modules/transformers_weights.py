"""Filling models of transformers that were built on the meta device."""

from typing import Any

from torch import nn

from catok.io.stored_weights import StoredWeights


def fill(module: nn.Module, weights: StoredWeights) -> None:
    """Put stored weights, as float32, into a module that is or holds a model of transformers.

    Tied weights need to be stored once only. Raises ValueError as `StoredWeights.read` does.
    """
    twice = shared_names(module)
    wanted = {name: tensor for name, tensor in module.state_dict().items() if name not in twice}
    once = weights.renamed(lambda name: None if name in twice else name)
    module.load_state_dict(once.read(wanted), strict=False, assign=True)
    for inner in module.modules():
        if hasattr(inner, "tie_weights"):
            inner.tie_weights()  # type: ignore[operator]
    restore_rotary(module)


def shared_names(module: nn.Module) -> set[str]:
    """Second names of tied parameters."""
    every = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    return every - {name for name, _ in module.named_parameters()}


def restore_rotary(module: nn.Module) -> None:
    """Work out the rotation frequencies anew, which no file holds."""
    for inner in list(module.modules()):
        rotary: Any = getattr(inner, "rotary_emb", None)
        if rotary is not None and any(buffer.is_meta for buffer in rotary.buffers()):
            inner.rotary_emb = type(rotary)(config=rotary.config)

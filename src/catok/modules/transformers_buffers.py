"""Buffers of models of transformers that no file holds."""

from typing import Any

from torch import nn


def restore_rotary(model: nn.Module) -> None:
    """Work out the rotation frequencies anew, after a model was built on the meta device."""
    for module in list(model.modules()):
        rotary: Any = getattr(module, "rotary_emb", None)
        if rotary is not None and any(buffer.is_meta for buffer in rotary.buffers()):
            module.rotary_emb = type(rotary)(config=rotary.config)

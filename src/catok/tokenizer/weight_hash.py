"""The name of a code space: a hash of the weights that make it."""

import hashlib
from itertools import chain
from typing import Any

import torch
from torch import nn


class WeightHash:
    """16 hex digits of SHA-256 over a module's tensors, names included.

    The bytes that were hashed last are kept beside their hash, and every call compares them with
    the module's: cheaper than hashing, and no way of changing a weight goes unseen.
    """

    def __init__(self) -> None:
        self._last: tuple[bytes, str] | None = None

    def __call__(self, module: nn.Module) -> str:
        content = _content(module)
        if self._last is None or self._last[0] != content:
            self._last = content, _sha256(module)
        return self._last[1]

    def __getstate__(self) -> dict[str, Any]:
        return {"_last": None}  # copies and pickles of a model begin without it


@torch.no_grad()
def _content(module: nn.Module) -> bytes:
    tensors = chain(module.parameters(), module.buffers())
    flat = torch.cat([tensor.reshape(-1).view(torch.uint8) for tensor in tensors])
    return flat.cpu().numpy().tobytes()


def _sha256(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]

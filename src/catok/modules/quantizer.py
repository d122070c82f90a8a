"""What a quantizer is, latents to codes and back, and which kinds of quantizers there are.

All released models have the one in `residual_quantizer`; `register_quantizer` adds others, also
from outside the package (docs/extend/quantizer.md).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from itertools import chain
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from catok.io.config import read_config

ENTRY_POINTS = "catok.quantizers"
DEFAULT_KIND = "rlfq"


class QuantizerConfig(Protocol):
    """What the settings of every quantizer name; each kind has a frozen dataclass of its own."""

    @property
    def kind(self) -> str:
        """The name that the kind is registered under."""
        ...

    @property
    def input_dim(self) -> int:
        """D, the channels of the latents."""
        ...

    @property
    def num_quantizers(self) -> int:
        """K, the number of codebooks."""
        ...

    @property
    def codebook_size(self) -> int:
        """Codes per codebook."""
        ...


@dataclass(frozen=True)
class Quantized:
    """Result of a training pass.

    `latents` `[B, D, F]` with gradients; `codes` `[B, K, F]` int64; `losses`: scalars by name, each
    a name of the recipe's `weights` ("codebook", "commitment"). `projected` `[B, K, d, F]`: every
    codebook's input, detached, where codebooks are learnt (codebook revival draws from it).
    """

    latents: Tensor
    codes: Tensor
    losses: Mapping[str, Tensor] = field(default_factory=dict)
    projected: Tensor | None = None


class Quantizer(nn.Module, ABC):
    """Base of all quantizers: `[B, D, F]` latents <-> `[B, K, F]` codes.

    Every frame is quantized by itself, so that streams give the codes of whole recordings. The
    first codebooks of more decode by themselves. Weights stay float32 when the model around them
    is cast to half precision. There is at least one parameter or buffer: their bytes name the code
    space (`weight_hash`).
    """

    config: Any  # a QuantizerConfig, of each kind its own

    @abstractmethod
    def forward(
        self,
        latents: Tensor,
        num_quantizers: int | Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Quantized:
        """Quantize with gradients (straight-through) and losses.

        `num_quantizers`: how many codebooks, one number for all (`codes` then has as many) or `[B]`
        per row (quantizer dropout: `codes` then has all K, but those past a row's number add
        neither to its latents nor to the losses). `mask` `[B, F]` bool: frames that exist; the
        others bear no loss, and their codes mean nothing.
        """

    @abstractmethod
    def encode(self, latents: Tensor, num_quantizers: int | None = None) -> Tensor:
        """Latents `[B, D, F]` -> codes `[B, K, F]`; K codes are a prefix of more codes."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """Codes `[B, K, F]`, K at most the number of codebooks -> latents `[B, D, F]`."""

    def prepack(self) -> None:
        """Keep what inference makes of the weights: changes to them are not seen from then on.

        Here: nothing is kept.
        """

    @property
    def codebook_weights(self) -> list[Tensor]:
        """The learnt vectors `[N, d]` of every codebook, which training may revive; none here."""
        return []

    def init_from_data(self, latents: Tensor, generator: torch.Generator) -> None:
        """Set a new quantizer's weights by latents `[B, D, F]` of real audio; here: nothing."""

    @torch.no_grad()
    def code_vectors(self, num_quantizers: int) -> Tensor:
        """What each code adds to the latents, `[K, N, D]`, up to a constant per codebook.

        Exact where latents are sums over codebooks; else with all codes before it 0.
        """
        weights = []
        for index in range(num_quantizers):
            codes = torch.zeros(1, index + 1, self.config.codebook_size, dtype=torch.int64)
            codes[0, index] = torch.arange(self.config.codebook_size)
            weights.append(self.decode(codes.to(self.device))[0].t())
        return torch.stack(weights)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(chain(self.parameters(), self.buffers())).device

    def _apply(self, fn, recurse=True):
        """Follow the model to another device, but keep float32 when it is cast to half."""

        def keep_dtype(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        return super()._apply(keep_dtype, recurse)


Classes = tuple[type[Any], type[Quantizer]]
_KINDS: dict[str, Classes] = {}


def register_quantizer(kind: str, config: type[Any], quantizer: type[Quantizer]) -> None:
    """Make a kind of quantizer known: configs with this `kind` are read as the frozen dataclass
    `config`, and `quantizer(config)` is built of it.

    An installed package makes its kinds known to the commands by an entry point of the group
    "catok.quantizers": the kind's name, and the module that registers it. Raises ValueError where
    other classes have the name.
    """
    known = _KINDS.setdefault(kind, (config, quantizer))
    if known != (config, quantizer):
        raise ValueError(f"quantizer {kind!r} is {known[1].__name__} already: take another name")


def build_quantizer(config: QuantizerConfig) -> Quantizer:
    """The quantizer that the config describes, new. Raises ValueError on an unknown kind."""
    return _classes(config.kind, "quantizer.kind")[1](config)


def read_quantizer_config(data: Any, where: str) -> QuantizerConfig:
    """A quantizer's settings from plain data, of the dataclass that its `kind` says.

    Raises ValueError on an unknown kind and as `read_config` does.
    """
    kind = data.get("kind", DEFAULT_KIND) if isinstance(data, Mapping) else DEFAULT_KIND
    return read_config(_classes(kind, f"{where}.kind")[0], data, where)


def _classes(kind: Any, where: str) -> Classes:
    if kind not in _KINDS:
        for entry in entry_points(group=ENTRY_POINTS):
            if entry.name == kind:
                entry.load()
    if kind not in _KINDS:
        raise ValueError(
            f"{where} is {kind!r}; known are {sorted(_KINDS)}: install the package that has it, or "
            "call register_quantizer"
        )
    return _KINDS[kind]

"""The models of the kit: the structure of every variant in reduced size, with random weights.

Weights are drawn from NumPy's PCG64, so that they are the same bits everywhere. Layer scales are
near 0.5, norms and biases random: every term of the arithmetic changes the result.
"""

import math
from collections.abc import Mapping
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from catok.modules.patch import PatchConfig
from catok.modules.residual_quantizer import ResidualQuantizerConfig
from catok.modules.transformer import TransformerConfig
from catok.tokenizer.config import TokenizerConfig
from catok.tokenizer.model import CodecModel

Stage = PatchConfig | TransformerConfig


def _stage(inside: int, outside: int, window: float, layers: int = 1, width: int = 48) -> Stage:
    return TransformerConfig(
        input_dim=inside,
        output_dim=outside,
        width=width,
        layers=layers,
        heads=2,
        feedforward=2 * width,
        window=window,
    )


def _quantizer(num_quantizers: int, kind: str = "rlfq") -> ResidualQuantizerConfig:
    return ResidualQuantizerConfig(
        input_dim=64,
        inner_dim=40,
        num_quantizers=num_quantizers,
        codebook_size=64,
        kind=kind,  # pyright: ignore[reportArgumentType]
    )


_MONO = (
    PatchConfig(240),
    _stage(240, 24, 0.4),
    PatchConfig(2),
    _stage(48, 24, 0.4),
    PatchConfig(2),
    _stage(48, 32, 0.4),
    PatchConfig(2),
    _stage(64, 64, 0.4, layers=2, width=64),
)
VARIANTS: Mapping[str, TokenizerConfig] = {
    "24khz": TokenizerConfig(encoder=_MONO, quantizer=_quantizer(32)),
    "nano": TokenizerConfig(
        encoder=(
            PatchConfig(240),
            _stage(240, 24, 0.2, layers=2),
            PatchConfig(2),
            _stage(48, 24, 0.3),
            PatchConfig(2),
            _stage(48, 24, 0.4),
            PatchConfig(2),
            _stage(48, 16, 0.5, layers=2),
            PatchConfig(4),
        ),
        quantizer=_quantizer(16),
        sample_rate=48_000,
        channels=2,
        always_project=True,
    ),
    "v2": TokenizerConfig(
        encoder=(
            PatchConfig(240),
            _stage(240, 24, 0.2),
            PatchConfig(2),
            _stage(48, 24, 0.24),
            PatchConfig(2),
            _stage(48, 24, 0.3),
            PatchConfig(2),
            _stage(48, 24, 0.4),
            PatchConfig(2),
            _stage(48, 32, 0.48),
            PatchConfig(2),
            _stage(64, 64, 0.48, layers=2, width=64),
        ),
        quantizer=_quantizer(32),
        sample_rate=48_000,
        channels=2,
        always_project=True,
    ),
    "tiny": TokenizerConfig(encoder=_MONO, quantizer=_quantizer(32, kind="rvq")),
}
"""The released models and the one in this package, with windows of 0.2 to 0.5 s."""

SEEDS = {"24khz": 3, "nano": 3, "v2": 43, "tiny": 148}
"""Seeds with which no look-up of the kit has a margin below 2e-4, so that float32 decides all."""


def generator(*names: object) -> np.random.Generator:
    """Random numbers that depend on the names alone."""
    return np.random.Generator(np.random.PCG64(crc32("/".join(map(str, names)).encode())))


def random_weights(variant: str, seed: int | None = None) -> dict[str, Tensor]:
    """The weights of a variant's model, by canonical name."""
    config = VARIANTS[variant]
    seed = SEEDS[variant] if seed is None else seed
    with torch.device("meta"):
        shapes = {n: tuple(t.shape) for n, t in CodecModel(config).state_dict().items()}
    weights = {}
    for name, shape in shapes.items():
        uniform = generator(variant, seed, name).random(shape) * 2 - 1
        weights[name] = torch.from_numpy(_scaled(name, uniform).astype(np.float32))
    for index in range(config.quantizer.num_quantizers):
        _read_what_is_written(weights, f"quantizer.quantizers.{index}")
    return weights


def _scaled(name: str, uniform: np.ndarray) -> np.ndarray:
    """Numbers from -1 to 1 brought to the range of the tensor of that name."""
    if name.endswith(".scale"):  # of a layer
        return 0.5 + 0.1 * uniform
    if "norm" in name:
        return 1 + 0.2 * uniform if name.endswith("weight") else 0.2 * uniform
    if name.endswith(".bias"):
        return 0.05 * uniform
    if name.endswith("original0"):  # lengths of the quantizer's rows
        return 1 + 0.2 * uniform
    if name.endswith("codebook.weight"):
        return uniform
    fan_in = math.prod(uniform.shape[1:])
    loud = 2.0 if name.endswith(("in_proj.weight", "ffn.0.weight")) else 1.0
    return loud * math.sqrt(3 / fan_in) * uniform


def _read_what_is_written(weights: dict[str, Tensor], book: str) -> None:
    """Let a codebook write along the directions that it reads, so that residuals shrink."""
    pair = "parametrizations.weight.original"
    direction = weights[f"{book}.in_proj.{pair}1"].squeeze(2)
    direction = direction / direction.norm(dim=1, keepdim=True)
    written = (0.7 * direction).T.contiguous()
    weights[f"{book}.out_proj.{pair}1"] = written[:, :, None].clone()
    weights[f"{book}.out_proj.{pair}0"] *= written.norm(dim=1)[:, None, None]

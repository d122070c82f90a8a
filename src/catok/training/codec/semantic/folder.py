"""Files of a semantic head: semantic.json and semantic.safetensors, beside a tokenizer's own."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from catok.io.config import check_format, read_config
from catok.io.files import replacing
from catok.io.json import read_json
from catok.io.stored_weights import StoredWeights
from catok.io.weights import write_weights
from catok.training.codec.semantic.semantic_config import SemanticConfig

CONFIG, WEIGHTS, TEXT = "semantic.json", "semantic.safetensors", "semantic_text"
FORMAT = 1


@dataclass(frozen=True)
class _Header:
    """semantic.json, but for the language model's own config.json under "decoder"."""

    format: int
    latent_dim: int
    semantic: SemanticConfig


@dataclass(frozen=True)
class StoredHead:
    """What a folder holds. `decoder`: the language model's config.json."""

    config: SemanticConfig
    latent_dim: int
    decoder: dict[str, Any]
    weights: StoredWeights


def write_folder(
    folder: Path,
    weights: dict[str, Tensor],
    config: SemanticConfig,
    latent_dim: int,
    decoder: dict[str, Any],
    dtype: str | torch.dtype | None = None,
) -> None:
    """Write both files, each to a temporary one first; the folder is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / WEIGHTS, weights, dtype)
    header = asdict(_Header(FORMAT, latent_dim, config)) | {"decoder": decoder}
    with replacing(folder / CONFIG) as temporary:
        Path(temporary).write_text(json.dumps(header, indent=2) + "\n")


def read_folder(folder: str | Path) -> StoredHead:
    """Read what `write_folder` wrote. ValueError on anything missing or damaged."""
    header, decoder = _read_header(Path(folder) / CONFIG)
    weights = Path(folder) / WEIGHTS
    stored = StoredWeights.open([weights], weights)
    return StoredHead(header.semantic, header.latent_dim, decoder, stored)


def read_config_of(folder: str | Path) -> SemanticConfig:
    """What the head in a folder is built from. ValueError as from `read_folder`."""
    return _read_header(Path(folder) / CONFIG)[0].semantic


def _read_header(path: Path) -> tuple[_Header, dict[str, Any]]:
    """semantic.json, and the language model's settings in it."""
    data = read_json(path)
    check_format(data, FORMAT, path)
    decoder = data.pop("decoder", None)
    if not isinstance(decoder, dict):
        raise ValueError(f"{path} describes no language model: fetch the file again")
    return read_config(_Header, data, CONFIG), decoder

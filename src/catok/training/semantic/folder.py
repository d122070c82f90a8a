"""Files of a semantic head: semantic.json and semantic.safetensors, beside a tokenizer's own."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from catok.io.config import read_config
from catok.io.files import replacing, write_safetensors
from catok.training.semantic.config import SemanticConfig

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
    """What a folder holds. `decoder`: the language model's config.json; `weights` by name."""

    config: SemanticConfig
    latent_dim: int
    decoder: dict[str, Any]
    weights: dict[str, Tensor]


def shared_names(module: nn.Module) -> set[str]:
    """Second names of tied parameters: they are not stored."""
    every = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    return every - {name for name, _ in module.named_parameters()}


def write_folder(
    folder: Path,
    weights: dict[str, Tensor],
    config: SemanticConfig,
    latent_dim: int,
    decoder: dict[str, Any],
    dtype: torch.dtype | None = None,
) -> None:
    """Write both files, each to a temporary one first; the folder is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / WEIGHTS, weights, dtype)
    header = asdict(_Header(FORMAT, latent_dim, config)) | {"decoder": decoder}
    with replacing(folder / CONFIG) as temporary:
        Path(temporary).write_text(json.dumps(header, indent=2) + "\n")


def read_folder(folder: str | Path) -> StoredHead:
    """Read what `write_folder` wrote. ValueError on anything missing or damaged."""
    header, decoder = _read_header(Path(folder) / CONFIG)
    weights = Path(folder) / WEIGHTS
    try:
        state = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"cannot read {weights} ({error}): fetch the file again") from error
    return StoredHead(header.semantic, header.latent_dim, decoder, state)


def read_config_of(folder: str | Path) -> SemanticConfig:
    """What the head in a folder is built from. ValueError as from `read_folder`."""
    return _read_header(Path(folder) / CONFIG)[0].semantic


def _read_header(path: Path) -> tuple[_Header, dict[str, Any]]:
    """semantic.json, and the language model's settings in it."""
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read {path} ({error}): fetch the file again") from error
    if not isinstance(data, dict) or not isinstance(data.get("decoder"), dict):
        raise ValueError(f"{path} describes no language model: fetch the file again")
    if data.get("format") != FORMAT:
        raise ValueError(f"{path} has format {data.get('format')}, not {FORMAT}: upgrade catok")
    decoder = data.pop("decoder")
    return read_config(_Header, data, CONFIG), decoder

"""Folders of a tokenizer: config.json + safetensors, single or sharded.

A folder written here is in the released layout (tensor names and config.json), with this package's
own strict configuration under the key "catok"; that key tells the two kinds apart.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from catok.io.config import check_format, read_value
from catok.io.files import replacing
from catok.io.hub import find_folder as find_folder
from catok.io.json import read_json
from catok.io.kinds import TOKENIZER, check_kind
from catok.io.stored_weights import CONFIG, WEIGHTS, StoredWeights
from catok.io.weights import dtype_name, write_weights
from catok.tokenizer.config import TokenizerConfig
from catok.tokenizer.model import Part
from catok.tokenizer.released import (
    canonical_name,
    read_released_config,
    released_names,
    write_released_config,
)

FORMAT = 1
DISCRIMINATORS, SEMANTIC = "discriminators", "semantic"  # sub-folders that only training needs


def save_folder(
    folder: str | Path,
    config: TokenizerConfig,
    state: Mapping[str, Tensor],
    dtype: str | torch.dtype | None = None,
) -> None:
    """Write config.json and model.safetensors, each to a temporary file first.

    `dtype` narrows the stored floats, but for the quantizer's (see `stays_float32`). Raises
    ValueError if no official reader could express config, and on weights that are not finite.
    """
    folder = Path(folder)
    released = write_released_config(config)
    tensors = released_names(state, config)
    released["dtype"] = dtype_name(dtype or next(iter(tensors.values())).dtype)
    released["catok"] = {"format": FORMAT, "tokenizer": config.to_dict()}
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / WEIGHTS, tensors, dtype, float32=stays_float32)
    with replacing(folder / CONFIG) as temporary:
        Path(temporary).write_text(json.dumps(released, indent=2) + "\n")


def load_config(folder: str | Path) -> TokenizerConfig:
    """The configuration in a folder's config.json, ours or a released one.

    Raises ValueError on a folder of another kind, which it names, and on a damaged file.
    """
    check_kind(folder, TOKENIZER)
    path = Path(folder) / CONFIG
    data = read_json(path)
    if "catok" not in data:
        return read_released_config(data)
    own = read_value(dict[str, Any], data["catok"], f'"catok" in {path}')
    check_format(own, FORMAT, path)
    return TokenizerConfig.from_dict(own.get("tokenizer", {}))


def open_weights(folder: Path, part: Part) -> StoredWeights:
    """A folder's tensors under this package's names; of half a model, without the other half's."""
    other_half = {"encoder": "decoder.", "decoder": "encoder."}.get(part)

    def rename(stored: str) -> str | None:
        name = canonical_name(stored)
        left_out = stored.endswith("_scb") or (other_half and name.startswith(other_half))
        return None if left_out else name

    return StoredWeights.of_folder(folder).renamed(rename)


def stays_float32(name: str) -> bool:
    """Whether a tensor is float32 on disk and in memory, whatever the dtype of the rest.

    Those of the quantizer are: narrowed, they would give other codes under another weight hash.
    """
    return name.startswith("quantizer.")

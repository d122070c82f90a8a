"""Folders of a token language model: config.json + safetensors, in the released layout.

A folder written here also holds this package's own strict configuration under the key "catok".
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from catok.io.config import check_format, read_value
from catok.io.files import replacing
from catok.io.json import read_json
from catok.io.kinds import SPEECH_KINDS, check_kind
from catok.io.stored_weights import CONFIG, WEIGHTS, StoredWeights
from catok.io.weights import dtype_name, write_weights
from catok.lm.config import TokenLMConfig
from catok.lm.released import (
    UNUSED,
    read_released_config,
    released_name,
    released_tensors,
    write_released_config,
)

FORMAT = 1
KEY = "token_lm"


def save_folder(
    folder: str | Path,
    config: TokenLMConfig,
    state: Mapping[str, Tensor],
    dtype: str | torch.dtype | None = None,
) -> None:
    """Write config.json and model.safetensors, each to a temporary file first.

    `dtype` narrows the stored floats.
    """
    folder = Path(folder)
    tensors = released_tensors(state)
    data = write_released_config(config)
    data["dtype"] = dtype_name(dtype or next(iter(tensors.values())).dtype)
    data["catok"] = {"format": FORMAT, KEY: config.to_dict()}
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / WEIGHTS, tensors, dtype)
    with replacing(folder / CONFIG) as temporary:
        Path(temporary).write_text(json.dumps(data, indent=2) + "\n")


def load_config(folder: Path) -> TokenLMConfig:
    """The configuration in a folder's config.json, ours or a released one.

    Raises ValueError when it is missing, damaged or of another kind of model.
    """
    check_kind(folder, *SPEECH_KINDS)
    data = read_json(folder / CONFIG)
    if "catok" not in data:
        return read_released_config(data, StoredWeights.of_folder(folder).shapes)
    settings = read_value(dict[str, Any], data["catok"], f'"catok" in {folder / CONFIG}')
    check_format(settings, FORMAT, folder / CONFIG)
    return TokenLMConfig.from_dict(settings.get(KEY, {}))


def load_tensors(
    weights: StoredWeights, state: Mapping[str, Tensor], dtype: str | torch.dtype
) -> dict[str, Tensor]:
    """A folder's weights, by the names and in the shapes of a `TokenLM`'s `state`.

    Raises ValueError on anything missing, damaged, unknown or wrongly shaped.
    """
    names = {released_name(name): name for name in state}
    stored = weights.renamed(lambda name: None if name == UNUSED else names.get(name, name))
    return stored.read(state, dtype)

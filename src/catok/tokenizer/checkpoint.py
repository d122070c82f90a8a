"""Folders of a tokenizer: config.json + safetensors, single or sharded.

A folder written here is in the released layout (tensor names and config.json), with this package's
own strict configuration under the key "catok"; that key tells the two kinds apart. The layout of
the class that is proposed for transformers (`native`) is read and written too.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

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
from catok.tokenizer.native import (
    from_native,
    is_native,
    read_native_config,
    to_native,
    write_native_config,
)
from catok.tokenizer.released import (
    canonical_name,
    read_released_config,
    released_names,
    write_released_config,
)

FORMAT = 1
Layout = Literal["released", "transformers"]
EXTRACTOR = "preprocessor_config.json"
DISCRIMINATORS, SEMANTIC = "discriminators", "semantic"  # sub-folders that only training needs


def save_folder(
    folder: str | Path,
    config: TokenizerConfig,
    state: Mapping[str, Tensor],
    dtype: str | torch.dtype | None = None,
    layout: Layout = "released",
) -> None:
    """Write config.json and model.safetensors, each to a temporary file first.

    `dtype` narrows the stored floats, but for the quantizer's (see `stays_float32`). `layout`
    "transformers" is that of the class proposed for transformers, with preprocessor_config.json.
    Raises ValueError if no reader of the layout could express config, and on weights that are not
    finite.
    """
    folder = Path(folder)
    if layout == "transformers":
        _save_native(folder, config, state, dtype)
        return
    if layout != "released":
        raise ValueError(f'layout must be "released" or "transformers", got {layout!r}')
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
        return read_native_config(data) if is_native(data) else read_released_config(data)
    settings = read_value(dict[str, Any], data["catok"], f'"catok" in {path}')
    check_format(settings, FORMAT, path)
    return TokenizerConfig.from_dict(settings.get("tokenizer", {}))


def open_weights(folder: Path, part: Part) -> StoredWeights:
    """A folder's tensors under this package's names; of half a model, without the other half's."""
    other_half = {"encoder": "decoder.", "decoder": "encoder."}.get(part)

    def rename(stored: str) -> str | None:
        name = canonical_name(stored)
        left_out = stored.endswith("_scb") or (other_half and name.startswith(other_half))
        return None if left_out else name

    return StoredWeights.of_folder(folder).renamed(rename)


def read_state(
    folder: Path,
    weights: StoredWeights,
    wanted: Mapping[str, Tensor],
    config: TokenizerConfig,
    dtype: str | torch.dtype = torch.float32,
) -> dict[str, Tensor]:
    """The tensors of `open_weights`, which must be those of `wanted` in name and shape.

    Floats become `dtype`, but for the quantizer's. Raises ValueError as `StoredWeights.read`.
    """
    if not is_native(read_json(folder / CONFIG)):
        return weights.read(wanted, dtype, float32=stays_float32)
    native = weights.read(to_native(wanted, config), dtype, float32=stays_float32)
    state = from_native(native, config)
    return {name: state[name] for name in wanted}


def stays_float32(name: str) -> bool:
    """Whether a tensor is float32 on disk and in memory, whatever the dtype of the rest.

    Those of the quantizer are: narrowed, they would give other codes under another weight hash.
    """
    return name.startswith("quantizer.")


def _save_native(
    folder: Path,
    config: TokenizerConfig,
    state: Mapping[str, Tensor],
    dtype: str | torch.dtype | None,
) -> None:
    data, tensors = write_native_config(config), to_native(state, config)
    data["dtype"] = dtype_name(dtype or next(iter(tensors.values())).dtype)
    extractor = {
        "feature_extractor_type": "MossAudioTokenizerFeatureExtractor",
        "feature_size": config.channels,
        "hop_length": config.frame_size,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": True,
        "sampling_rate": config.sample_rate,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / WEIGHTS, tensors, dtype, float32=stays_float32)
    for name, content in ((EXTRACTOR, extractor), (CONFIG, data)):
        with replacing(folder / name) as temporary:
            Path(temporary).write_text(json.dumps(content, indent=2) + "\n")

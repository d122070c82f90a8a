"""Folders of weights: config.json + safetensors, single or sharded, local or from the hub.

A folder written here is in the released layout (tensor names and config.json), with this package's
own strict configuration under the key "catok"; that key tells the two kinds apart.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from safetensors import SafetensorError, safe_open
from torch import Tensor

from catok.io.files import replacing, write_safetensors
from catok.io.json import read_json
from catok.tokenizer.config import TokenizerConfig
from catok.tokenizer.released import (
    canonical_name,
    read_released_config,
    released_names,
    write_released_config,
)

EMBEDDED = Path(__file__).parents[1] / "checkpoints"
FORMAT = 1
CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
JUDGES, SEMANTIC = "discriminators", "semantic"  # sub-folders that only training needs


def save_folder(
    folder: str | Path,
    config: TokenizerConfig,
    state: Mapping[str, Tensor],
    dtype: torch.dtype | None = None,
) -> None:
    """Write config.json and model.safetensors, each to a temporary file first.

    `dtype` narrows the stored floats. Raises ValueError if no official reader could express config.
    """
    folder = Path(folder)
    released = write_released_config(config)
    tensors = released_names(state, config)
    released["dtype"] = str(dtype or next(iter(tensors.values())).dtype).removeprefix("torch.")
    released["catok"] = {"format": FORMAT, "tokenizer": config.to_dict()}
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / WEIGHTS, tensors, dtype)
    with replacing(folder / CONFIG) as temporary:
        Path(temporary).write_text(json.dumps(released, indent=2) + "\n")


def find_folder(name_or_path: str | Path, *, companions: bool = False) -> Path:
    """An embedded name or a local folder as it is; a hub id downloaded. ValueError if not found.

    `companions`: with the sub-folders that only training needs (discriminators, semantic head).
    """
    path = Path(name_or_path)
    if path.is_dir():
        return path
    if (EMBEDDED / str(name_or_path) / CONFIG).is_file():
        return EMBEDDED / str(name_or_path)
    looks_like_hub_id = str(name_or_path).count("/") == 1 and str(name_or_path)[0] not in "./~"
    if not looks_like_hub_id:
        embedded = sorted(p.parent.name for p in EMBEDDED.glob(f"*/{CONFIG}"))
        raise ValueError(
            f"no folder {str(name_or_path)!r}: give a local folder, a hub id owner/name, or one of "
            f"the embedded models {embedded}"
        )
    try:
        return Path(
            snapshot_download(
                str(name_or_path),
                allow_patterns=["*.json", "*.safetensors"],
                ignore_patterns=None if companions else ["*/*"],
            )
        )
    except Exception as error:
        raise ValueError(
            f"could not fetch {str(name_or_path)!r} from the hub ({type(error).__name__}): check "
            "the name and the network, or pass a local folder"
        ) from error


def load_config(folder: str | Path) -> TokenizerConfig:
    """The configuration in a folder's config.json, of either kind."""
    path = Path(folder) / CONFIG
    data = read_json(path)
    if "catok" not in data:
        return read_released_config(data)
    own: dict[str, Any] = data["catok"]
    if own.get("format") != FORMAT:
        raise ValueError(
            f"{path} was written by a newer catok (format {own.get('format')}): upgrade"
        )
    return TokenizerConfig.from_dict(own["tokenizer"])


def _weight_files(folder: Path) -> list[Path]:
    """The shards that the index lists, or the single file."""
    if (folder / INDEX).is_file():
        try:
            names = sorted(set(json.loads((folder / INDEX).read_text())["weight_map"].values()))
        except (json.JSONDecodeError, KeyError, AttributeError) as error:
            raise ValueError(f"{folder / INDEX} is damaged ({error}): fetch it again") from error
        files = [folder / name for name in names]
    elif (folder / WEIGHTS).is_file():
        files = [folder / WEIGHTS]
    else:
        files = sorted(folder.glob("model-*.safetensors"))
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        raise ValueError(f"{folder} lacks weights: {missing or WEIGHTS}; fetch the whole folder")
    return files


def read_tensors(
    folder: Path, wanted: Mapping[str, Tensor], part: str, dtype: torch.dtype
) -> dict[str, Tensor]:
    """The tensors named in `wanted` from all shards; ValueError on any disagreement.

    They become `dtype` one by one, so that a large model is never held in two widths; the
    quantizer's become float32.
    """
    other_half = {"all": "", "encoder": "decoder.", "decoder": "encoder."}[part]
    found: dict[str, Tensor] = {}
    extra: list[str] = []
    for file in _weight_files(folder):
        try:
            with safe_open(file, framework="pt") as shard:
                for stored in shard.keys():  # noqa: SIM118 - not a mapping
                    name = canonical_name(stored)
                    if name in wanted:
                        width = torch.float32 if name.startswith("quantizer.") else dtype
                        found[name] = shard.get_tensor(stored).to(width)
                    elif not stored.endswith("_scb") and not (
                        other_half and name.startswith(other_half)
                    ):
                        extra.append(stored)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{file} cannot be read ({error}): fetch it again") from error
    missing = sorted(set(wanted) - set(found))
    wrong = [
        f"{name}: file {list(found[name].shape)}, config {list(wanted[name].shape)}"
        for name in found
        if found[name].shape != wanted[name].shape
    ]
    for what, names in (("missing", missing), ("unknown", extra), ("wrongly shaped", wrong)):
        if names:
            raise ValueError(
                f"{folder}: {len(names)} {what} tensors, such as {names[:3]}; the weights do not "
                "belong to this config.json"
            )
    return found

"""Starting from a text language model: a Qwen3 folder's weights as the temporal transformer.

Paper 6: the temporal transformer starts from Qwen3-1.7B, the depth transformer from nothing.
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from catok.io.config import read_config
from catok.io.json import read_json
from catok.lm.config import LanguageConfig, TokenLMConfig
from catok.lm.folder import stored_shapes
from catok.lm.model import TokenLM
from catok.lm.released import read_qwen3_config
from catok.tokenizer.checkpoint import CONFIG, find_folder, read_tensors

TABLE, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def from_text_model(name_or_folder: str | Path, config: TokenLMConfig) -> TokenLM:
    """A `TokenLM` whose temporal transformer, text embedding and text head are those of a Qwen3.

    `name_or_folder`: a local folder, which never touches the network, or a hub id. Of `config`, all
    but `language_config` is kept; that comes from the folder. A text head tied to the embedding
    becomes a copy of it. The rest is random. Raises ValueError when the folder is no Qwen3.
    """
    folder = find_folder(name_or_folder)
    data, shapes = read_json(folder / CONFIG), stored_shapes(folder)
    if data.get("model_type") != "qwen3":
        raise ValueError(
            f"{name_or_folder} has model_type {data.get('model_type')!r}: only 'qwen3' can become "
            "the temporal transformer"
        )
    settings = read_qwen3_config(data, shapes.get(TABLE))
    language = read_config(LanguageConfig, settings, "config.json")
    model = TokenLM(replace(config, language_config=language))
    state = model.backbone.qwen3.state_dict()
    wanted: dict[str, Tensor] = {f"model.{name}": tensor for name, tensor in state.items()}
    wanted[TABLE] = model.embedding.tables[0].weight  # type: ignore[assignment]
    if HEAD in shapes:
        wanted[HEAD] = wanted[TABLE]
    found = read_tensors(folder, wanted, "all", torch.float32)
    with torch.no_grad():
        for name, tensor in state.items():
            tensor.copy_(found[f"model.{name}"])
        wanted[TABLE].copy_(found[TABLE])
        model.state_dict()["heads.channels.0.linear.weight"].copy_(found.get(HEAD, found[TABLE]))
    return model

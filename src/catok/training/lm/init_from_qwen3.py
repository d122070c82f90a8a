"""Starting from a text language model: a Qwen3 folder's weights as the temporal transformer.

Paper 6: the temporal transformer starts from Qwen3-1.7B, the depth transformer from nothing.
"""

from dataclasses import replace
from pathlib import Path

import torch

from catok.io.config import read_config
from catok.io.hub import find_folder
from catok.io.json import read_json
from catok.io.stored_weights import CONFIG, StoredWeights
from catok.lm.config import LanguageConfig, TokenLMConfig
from catok.lm.model import TokenLM
from catok.lm.released import read_qwen3_config

TABLE, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def from_text_model(name_or_folder: str | Path, config: TokenLMConfig) -> TokenLM:
    """A `TokenLM` whose temporal transformer, text embedding and text head are those of a Qwen3.

    `name_or_folder`: a local folder, which never touches the network, or a hub id. Of `config`, all
    but `language_config` is kept; that comes from the folder. A text head tied to the embedding
    becomes a copy of it. The rest is random. Raises ValueError when the folder is no Qwen3.
    """
    folder = find_folder(name_or_folder)
    data = read_json(folder / CONFIG)
    if data.get("model_type") != "qwen3":
        raise ValueError(
            f"{name_or_folder} has model_type {data.get('model_type')!r}: only 'qwen3' can become "
            "the temporal transformer"
        )
    weights = StoredWeights.of_folder(folder)
    settings = read_qwen3_config(data, weights.shapes.get(TABLE))
    whole = replace(config, language_config=read_config(LanguageConfig, settings, "config.json"))
    sizes = weights.build(lambda: TokenLM(whole))  # nothing is allocated for sizes that are not so
    names = list(sizes.backbone.qwen3.state_dict())
    wanted = {f"model.{name}": sizes.backbone.qwen3.state_dict()[name] for name in names}
    wanted[TABLE] = sizes.embedding.tables[0].weight  # type: ignore[assignment]
    if HEAD in weights.shapes:
        wanted[HEAD] = wanted[TABLE]
    tensors = weights.read(wanted)
    model = TokenLM(whole)
    state = model.state_dict()
    with torch.no_grad():
        for name in names:
            state[f"backbone.qwen3.{name}"].copy_(tensors[f"model.{name}"])
        state["embedding.tables.0.weight"].copy_(tensors[TABLE])
        state["heads.channels.0.linear.weight"].copy_(tensors.get(HEAD, tensors[TABLE]))
    return model

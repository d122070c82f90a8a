"""The decoder-only language model of the head: from scratch, from a folder or hub id, from JSON;
and greedy decoding with it.

transformers is imported late: it takes seconds.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from catok.modules.transformers_cache import cache_argument

if TYPE_CHECKING:
    from transformers import PreTrainedModel
import json
from typing import TYPE_CHECKING

from catok.io.hub import find_folder
from catok.io.stored_weights import StoredWeights
from catok.io.transformers import from_transformers
from catok.modules.transformers_weights import fill
from catok.training.codec.semantic.semantic_config import SemanticConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel


# families whose logits are one linear map of the last hidden state, without scaling or capping
FAMILIES = ("llama", "qwen2", "qwen3")
# what makes a model of these families; others, such as attn_implementation, may name code to fetch
SETTINGS = {
    "attention_bias",
    "attention_dropout",
    "bos_token_id",
    "eos_token_id",
    "head_dim",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "layer_types",
    "max_position_embeddings",
    "max_window_layers",
    "mlp_bias",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "pad_token_id",
    "rms_norm_eps",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "tie_word_embeddings",
    "use_sliding_window",
    "vocab_size",
}
ROPE_THETA, MAX_POSITIONS = 1_000_000.0, 32_768  # as in Qwen2.5-0.5B, also for smaller models


def build_decoder(config: SemanticConfig, vocab_size: int) -> "PreTrainedModel":
    """The language model of a configuration, float32, in training mode.

    `vocab_size` is what the text tokenizer needs. Raises ValueError when `language_model` cannot
    be read or lacks weights, or when it is of a family that the head does not know.
    """
    if config.language_model:
        model = _pretrained(config.language_model)
    else:
        model = decoder_from_dict(
            {
                "model_type": "qwen2",
                "hidden_size": config.hidden_size,
                "num_hidden_layers": config.layers,
                "num_attention_heads": config.heads,
                "num_key_value_heads": config.key_value_heads,
                "intermediate_size": config.intermediate_size,
                "vocab_size": config.vocab_size or vocab_size,
                "rope_theta": ROPE_THETA,
                "max_position_embeddings": MAX_POSITIONS,
                "rms_norm_eps": 1e-6,
                "tie_word_embeddings": True,
            }
        )
    return model


def decoder_from_dict(settings: dict[str, Any]) -> "PreTrainedModel":
    """A model with random float32 weights from its config.json. ValueError if it describes none."""
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        family = _checked(settings.get("model_type"))
        known = {key: value for key, value in settings.items() if key in SETTINGS}
        config = type(AutoConfig.for_model(family)).from_dict(known)
        model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
        model.tie_weights()  # transformers 5.0 does not, where a model is built without memory
        return model.float()
    except Exception as error:  # transformers checks with errors of its own
        raise ValueError(f"no language model can be built from its settings: {error}") from error


def decoder_to_dict(model: "PreTrainedModel") -> dict[str, Any]:
    """The model's config.json, without what belongs to the place it came from."""
    settings = json.loads(model.config.to_json_string(use_diff=False))
    return {k: v for k, v in settings.items() if k not in ("_name_or_path", "dtype", "torch_dtype")}


def checkpoint_layers(model: "PreTrainedModel") -> None:
    """Keep only each layer's input in training, and work the rest out again for the gradients."""
    settings = {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):  # the old name, deprecated, calls it too
        model.activation_checkpointing_enable(settings)
    else:
        model.gradient_checkpointing_enable(settings)


def _pretrained(name_or_folder: str) -> "PreTrainedModel":
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        folder = find_folder(name_or_folder)
        config = from_transformers(AutoConfig, folder)
        _checked(config.model_type)
        weights = StoredWeights.of_folder(folder)
        model = weights.build(
            lambda: AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
        )
        fill(model, weights)
    except Exception as error:  # transformers has errors of its own
        raise ValueError(
            f"cannot read a language model from {name_or_folder!r} ({error}): give a local folder "
            "with config.json and model.safetensors or a hub id, and check the network"
        ) from error
    return model.train()


def _checked(family: Any) -> str:
    if family not in FAMILIES:
        raise ValueError(f"a model of type {family!r} is none of {FAMILIES}")
    return family


@torch.no_grad()
def decode_greedily(
    model: "PreTrainedModel", prompts: list[Tensor], *, eos: int, pad: int, max_tokens: int
) -> list[list[int]]:
    """The likeliest token again and again, until `eos` or `max_tokens`.

    `prompts`: per row `[length, hidden]` embeddings, at least one row. Rows are padded on the left,
    masked and numbered from their own start: each equals the row decoded alone, but for rounding.
    Returns the ids of each row before its `eos`. The model should be in eval mode, which keeps
    gradient checkpointing from switching the cache off.
    """
    from transformers import DynamicCache  # late: slow to import

    decoder: Any = model.get_decoder()
    embed: Any = model.get_input_embeddings()
    head: Any = model.get_output_embeddings()
    device = prompts[0].device
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
    inputs = pad_sequence(prompts, batch_first=True, padding_side="left")
    columns = torch.arange(inputs.shape[1], device=device)
    mask = (columns >= inputs.shape[1] - lengths[:, None]).long()
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    ended = torch.zeros(len(prompts), dtype=torch.bool, device=device)
    cache, written = DynamicCache(), []
    for _ in range(max_tokens):
        output = decoder(
            inputs_embeds=inputs,
            attention_mask=mask,
            position_ids=positions,
            **cache_argument(decoder, cache),
        )
        token = head(output.last_hidden_state[:, -1]).float().argmax(dim=-1)
        written.append(token.masked_fill(ended, pad))
        ended = ended | (token == eos)
        if ended.all():
            break
        inputs = embed(written[-1])[:, None]
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
        positions = positions[:, -1:] + 1
    rows = torch.stack(written, dim=1).tolist()
    return [row[: row.index(eos)] if eos in row else row for row in rows]

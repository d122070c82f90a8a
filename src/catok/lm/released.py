"""The one place that knows the released layout: its config.json and its tensor names.

Source: `docs/spec/tts-layout.md` (a) and (b). "MossTTSLocal" v1 shares model_type and
architectures with the Delay model; the keys and tensors of a depth transformer tell them apart.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from typing import Any

from torch import Tensor

from catok.io.config import read_value
from catok.lm.config import LanguageConfig, TokenLMConfig

UNUSED = "model.language_model.embed_tokens.weight"  # stored, never used
TEXT_TABLE = "model.embedding_list.0.weight"
LOCAL_KEYS = {
    "local_num_layers",
    "local_hidden_size",
    "local_ffn_hidden_size",
    "additional_mlp_ffn_hidden_size",
}
FIXED = {
    "hidden_act": "silu",
    "attention_bias": False,
    "use_sliding_window": False,
    "rope_scaling": None,
}
NAMES = [  # pattern of our name, theirs
    (re.compile(r"^embedding\.tables\.(\d+)\."), r"model.embedding_list.\1."),
    (re.compile(r"^backbone\.qwen3\."), r"model.language_model."),
    (re.compile(r"^adapter\."), r"speech_embedding_to_local_mlp."),
    (re.compile(r"^depth\."), r"local_transformer."),
    (
        re.compile(r"^heads\.channels\.(\d+)\.adapter\."),
        r"local_to_speech_embedding_mlps.\1.",
    ),
    (re.compile(r"^heads\.channels\.(\d+)\.norm\."), r"layer_norm_before_lm_heads.\1."),
    (re.compile(r"^heads\.channels\.(\d+)\.linear\."), r"lm_heads.\1."),
]


def released_name(name: str) -> str:
    """A tensor's name in `TokenLM` -> in the released layout."""
    for pattern, theirs in NAMES:
        name, changed = pattern.subn(theirs, name)
        if changed:
            break
    return name


def released_tensors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A `TokenLM` state by released names, the unused table written as a copy of the text table."""
    renamed = {released_name(name): tensor for name, tensor in state.items()}
    return renamed | {UNUSED: renamed[TEXT_TABLE].clone()}


def check_kind(data: Mapping[str, Any], tensors: Collection[str]) -> None:
    """ValueError, with the model's right name if it is known, unless this is MossTTSLocal v1."""
    kind = data.get("model_type")
    if kind == "moss_tts_local":
        raise ValueError(
            "this is MossTTSLocal v1.5 (12 codebooks, a GPT-style depth block): only the v1 layout "
            "can be read"
        )
    if kind != "moss_tts_delay":
        raise ValueError(
            f"config.json has model_type {kind!r}, a token language model has 'moss_tts_delay'"
        )
    local = any(name.startswith("local_transformer.") for name in tensors)
    if not local and not LOCAL_KEYS & set(data):
        raise ValueError(
            "this is the Delay model (it has no depth transformer): only MossTTSLocal v1 can be "
            "read"
        )


def read_released_config(
    data: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> TokenLMConfig:
    """A released config.json -> `TokenLMConfig`; missing keys take their defaults, unknown ones
    are ignored. `shapes`: of the stored tensors, by name; vocab_size comes from there if need be.

    Raises ValueError on another kind of model or a variant that no release uses.
    """
    check_kind(data, shapes.keys())
    settings = {
        field.name: data[field.name] for field in fields(TokenLMConfig) if field.name in data
    }
    language = read_value(dict[str, Any], data.get("language_config") or {}, "language_config")
    settings["language_config"] = read_qwen3_config(language, shapes.get(TEXT_TABLE))
    return TokenLMConfig.from_dict(settings)


def read_qwen3_config(
    data: Mapping[str, Any], text_table: tuple[int, ...] | None = None
) -> dict[str, Any]:
    """A Qwen3 config.json, by the names of `LanguageConfig`. ValueError on what is not supported.

    `rope_theta` may stand by itself or in `rope_parameters`. `text_table`: shape of the embedding,
    for a file without vocab_size.
    """
    rope = read_value(dict[str, Any], data.get("rope_parameters") or {}, "rope_parameters")
    asked = {"rope_scaling": None} | dict(data)
    if rope.get("rope_type", "default") != "default":
        asked["rope_scaling"] = rope
    for key, value in FIXED.items():
        if asked.get(key, value) != value:
            raise ValueError(
                f"language_config asks for {key}={asked[key]!r}; only {value!r} is known"
            )
    names = {field.name for field in fields(LanguageConfig)}
    chosen = {name: data[name] for name in names if data.get(name) is not None}
    if "rope_theta" in rope:
        chosen.setdefault("rope_theta", rope["rope_theta"])
    if text_table:
        chosen.setdefault("vocab_size", text_table[0])
    return chosen


def write_released_config(config: TokenLMConfig) -> dict[str, Any]:
    """A `TokenLMConfig` in the released spelling."""
    language = asdict(config.language_config)
    language |= FIXED | {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}
    language |= {"tie_word_embeddings": False, "attention_dropout": 0.0, "sliding_window": None}
    data = {"model_type": "moss_tts_delay", "architectures": ["MossTTSDelayModel"]}
    return data | config.to_dict() | {"language_config": language}

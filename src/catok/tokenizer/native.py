"""The layout of the tokenizer class that is proposed for transformers, read and written.

Source: `docs/spec/checkpoints.md` (a), and pull request 46447 of transformers (model type
"moss_audio_tokenizer"). Against the released layout: the quantizer's weight norms are worked out;
queries, keys and values are matrices of their own; and the rows of queries and keys are reordered
within each head, so that the two numbers of a rotary pair stand half a head apart instead of side
by side. The class knows one channel, one window, and a decoder that mirrors the encoder.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from catok.io.config import read_config, read_value
from catok.modules.patch import PatchConfig
from catok.modules.pointwise import normed_weight
from catok.modules.residual_quantizer import ResidualQuantizerConfig
from catok.modules.transformer import TransformerConfig
from catok.tokenizer.config import TokenizerConfig, mirror

MODEL_TYPE = "moss_audio_tokenizer"
PERIOD = 10_000.0
STAGE_KEYS = {
    "input_hidden_sizes": "input_dim",
    "output_hidden_sizes": "output_dim",
    "hidden_sizes": "width",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
    "intermediate_sizes": "feedforward",
}
QUANTIZER_KEYS = {
    "input_hidden_size": "input_dim",
    "hidden_size": "inner_dim",
    "n_codebooks": "num_quantizers",
    "codebook_size": "codebook_size",
    "codebook_dim": "codebook_dim",
}
_IN_STACK = re.compile(r"^(encoder|decoder)\.(\d+)\.")
_IN_NATIVE_STACK = re.compile(r"^(encoder|decoder)\.layers\.(\d+)\.")
_NAMES = {
    "self_attn.out_proj": "self_attn.o_proj",
    "norm1": "self_attn_layer_norm",
    "norm2": "final_layer_norm",
    "ffn.0": "fc1",
    "ffn.2": "fc2",
}
_IN_PROJ, _SCALE = ".self_attn.in_proj.weight", re.compile(r"\.layer_scale_([12])\.scale$")
_LAMBDA = re.compile(r"\.layer_scale_([12])\.lambda1$")
_LENGTH, _DIRECTION = (f".parametrizations.weight.original{i}" for i in (0, 1))


def is_native(data: Mapping[str, Any]) -> bool:
    """Whether a config.json is of this layout."""
    return data.get("model_type") == MODEL_TYPE


def read_native_config(data: Mapping[str, Any]) -> TokenizerConfig:
    """A config.json of this layout. Raises ValueError on missing keys and other rotary periods."""

    def read(hint: Any, key: str, default: Any = None) -> Any:
        if key not in data and default is None:
            raise ValueError(f"config.json lacks {key!r}: the folder is damaged")
        return read_value(hint, data.get(key, default), f"config.json.{key}")

    rope = read(dict[str, Any], "rope_parameters", {"rope_theta": PERIOD})
    columns = {ours: read(tuple[int, ...], theirs) for theirs, ours in STAGE_KEYS.items()}
    ratios = read(tuple[int, ...], "downsampling_ratios")
    if {len(column) for column in columns.values()} != {len(ratios)}:
        raise ValueError("config.json does not have one size per stage: the folder is damaged")
    shared = {
        "window": read(float, "sliding_window_duration"),
        "layer_scale": read(float, "layer_scale_init_value", 0.01),
        "max_period": read_value(float, rope.get("rope_theta", PERIOD), "rope_theta"),
    }
    encoder = []
    for stage, ratio in enumerate(ratios):
        encoder.append(PatchConfig(ratio))
        sizes = {name: column[stage] for name, column in columns.items()}
        encoder.append(TransformerConfig(**sizes, **shared))
    quantizer = read(dict[str, Any], "quantizer_config")
    chosen = {QUANTIZER_KEYS[key]: quantizer[key] for key in QUANTIZER_KEYS if key in quantizer}
    return TokenizerConfig(
        encoder=tuple(encoder),
        quantizer=read_config(ResidualQuantizerConfig, chosen, "quantizer_config"),
        sample_rate=read(int, "sampling_rate"),
    )


def write_native_config(config: TokenizerConfig) -> dict[str, Any]:
    """The config.json of a configuration. Raises ValueError on one that the class cannot be."""
    stages = [stage for stage in config.encoder if isinstance(stage, TransformerConfig)]
    patches = [stage.size for stage in config.encoder if isinstance(stage, PatchConfig)]
    shared = {(stage.window, stage.layer_scale, stage.max_period) for stage in stages}
    kinds = [isinstance(stage, PatchConfig) for stage in config.encoder]
    reasons = {
        "it has several channels": config.channels != 1,
        "its stages have different windows": len({stage.window for stage in stages}) > 1,
        "its stages differ in layer_scale": len({stage.layer_scale for stage in stages}) > 1,
        "it has projections where none are needed": config.always_project,
        "patches and Transformer stages do not alternate": kinds != [True, False] * len(stages),
        "its decoder does not mirror its encoder": config.decoder != mirror(config.encoder),
        f"its quantizer is {config.quantizer.kind!r}": config.quantizer.kind != "rlfq",
        "its rotary period is not 10000": {period for _, _, period in shared} != {PERIOD},
    }
    wrong = [reason for reason, holds in reasons.items() if holds]
    if wrong:
        raise ValueError(
            "the class proposed for transformers is the 24 kHz model's, and this model is not of "
            f"its kind: {', '.join(wrong)}. catok.hf has a class for all models"
        )
    [(window, layer_scale, period)] = shared
    quantizer = {theirs: getattr(config.quantizer, ours) for theirs, ours in QUANTIZER_KEYS.items()}
    quantizer["output_hidden_size"] = config.quantizer.input_dim
    return {
        "architectures": ["MossAudioTokenizerModel"],
        "model_type": MODEL_TYPE,
        "sampling_rate": config.sample_rate,
        "sliding_window_duration": window,
        "downsampling_ratios": patches,
        **{name: [getattr(s, ours) for s in stages] for name, ours in STAGE_KEYS.items()},
        "layer_scale_init_value": layer_scale,
        "rope_parameters": {"rope_type": "default", "rope_theta": period},
        "quantizer_config": quantizer,
    }


def to_native(state: Mapping[str, Tensor], config: TokenizerConfig) -> dict[str, Tensor]:
    """A state dict, whole or of half a model, in this layout."""
    heads = _heads(config)
    native: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.endswith(_LENGTH):
            continue
        if name.endswith(_DIRECTION):
            owner = name.removesuffix(_DIRECTION)
            native[f"{owner}.weight"] = normed_weight(tensor, state[owner + _LENGTH])
            continue
        if name.endswith(_IN_PROJ):
            prefix = _to_native_name(name).removesuffix("in_proj.weight")
            q, k, v = tensor.chunk(3)
            count = heads[_stage_of(name)]
            for letter, part in (("q", _apart(q, count)), ("k", _apart(k, count)), ("v", v)):
                native[f"{prefix}{letter}_proj.weight"] = part.clone()
            continue
        native[_to_native_name(name)] = tensor
    return native


def from_native(state: Mapping[str, Tensor], config: TokenizerConfig) -> dict[str, Tensor]:
    """The inverse of `to_native`. The effective weights are equal to the bit; the quantizer's are
    written as directions and lengths again, so that its hash is another.
    """
    heads = _heads(config)
    converted: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.startswith("quantizer.") and name.endswith("_proj.weight"):
            owner = name.removesuffix(".weight")
            lengths = torch.ops.aten._weight_norm_interface(tensor, tensor.new_ones(_rows(tensor)))
            converted[owner + _LENGTH], converted[owner + _DIRECTION] = lengths[1], tensor
        elif name.endswith(".self_attn.q_proj.weight"):
            prefix = name.removesuffix("q_proj.weight")
            ours = _from_native_name(f"{prefix}in_proj.weight")
            count = heads[_stage_of(ours)]
            q, k, v = (state[f"{prefix}{letter}_proj.weight"] for letter in "qkv")
            converted[ours] = torch.cat((_together(q, count), _together(k, count), v))
        elif not re.search(r"\.self_attn\.[kv]_proj\.weight$", name):
            converted[_from_native_name(name)] = tensor
    return converted


def _heads(config: TokenizerConfig) -> dict[str, int]:
    """Heads of every Transformer stage, by "encoder.1" and so on."""
    sides = {"encoder": config.encoder, "decoder": config.decoder}
    return {
        f"{side}.{index}": stage.heads
        for side, stages in sides.items()
        for index, stage in enumerate(stages)
        if isinstance(stage, TransformerConfig)
    }


def _stage_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


def _apart(rows: Tensor, heads: int) -> Tensor:
    """Rows `[D, ...]`: of each head first those of even number, then those of odd."""
    return rows.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)


def _together(rows: Tensor, heads: int) -> Tensor:
    """The inverse of `_apart`."""
    return rows.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)


def _rows(weight: Tensor) -> tuple[int, ...]:
    return weight.shape[0], *(1,) * (weight.dim() - 1)


def _to_native_name(name: str) -> str:
    name = _IN_STACK.sub(r"\1.layers.\2.", name)
    name = _SCALE.sub(r".layer_scale_\1.lambda1", name)
    return _renamed(name, {f".{ours}.": f".{theirs}." for ours, theirs in _NAMES.items()})


def _from_native_name(name: str) -> str:
    name = _IN_NATIVE_STACK.sub(r"\1.\2.", name)
    name = _LAMBDA.sub(r".layer_scale_\1.scale", name)
    return _renamed(name, {f".{theirs}.": f".{ours}." for ours, theirs in _NAMES.items()})


def _renamed(name: str, parts: Mapping[str, str]) -> str:
    for old, new in parts.items():
        if old in name and "transformer.layers" in name:
            return name.replace(old, new)
    return name

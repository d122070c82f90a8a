"""The one place that knows the released layout: its config.json and its tensor names.

Source: `docs/spec/checkpoints.md` (a), (b). Two dialects of tensor names exist, "v1" (24 kHz
mono) and "v2" (Nano and v2); this package's modules carry the v2 names. `always_project` decides
which of the two readers can load a folder, and so which dialect is written.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from catok.io.config import read_config, read_value
from catok.modules.patch import PatchConfig
from catok.modules.residual_quantizer import ResidualQuantizerConfig
from catok.modules.stack import StageConfig
from catok.modules.transformer import TransformerConfig
from catok.tokenizer.config import TokenizerConfig

TO_V2 = [
    (re.compile(r"\.self_attn\.in_projs\.0\."), ".self_attn.in_proj."),
    (re.compile(r"\.self_attn\.out_projs\.0\."), ".self_attn.out_proj."),
    (re.compile(r"\.self_attn\.in_proj_weight$"), ".self_attn.in_proj.weight"),
    (re.compile(r"(\.layers\.\d+)\.linear1\."), r"\1.ffn.0."),
    (re.compile(r"(\.layers\.\d+)\.linear2\."), r"\1.ffn.2."),
    (re.compile(r"\.weight_g$"), ".parametrizations.weight.original0"),
    (re.compile(r"\.weight_v$"), ".parametrizations.weight.original1"),
]
TO_V1 = [
    (".self_attn.in_proj.", ".self_attn.in_projs.0."),
    (".self_attn.out_proj.", ".self_attn.out_projs.0."),
    (".ffn.0.", ".linear1."),
    (".ffn.2.", ".linear2."),
]
STAGE_KEYS = {
    "input_dimension": "input_dim",
    "output_dimension": "output_dim",
    "d_model": "width",
    "num_layers": "layers",
    "num_heads": "heads",
    "dim_feedforward": "feedforward",
    "layer_scale": "layer_scale",
    "max_period": "max_period",
}
TABLE = dict[str, Any]
STAGES = tuple[TABLE, ...]
FIXED = {"causal": True, "norm": "layer_norm", "positional_embedding": "rope", "gating": "none"}
QUANTIZER_KEYS = {
    "input_dim": "input_dim",
    "rvq_dim": "inner_dim",
    "num_quantizers": "num_quantizers",
    "codebook_size": "codebook_size",
    "codebook_dim": "codebook_dim",
}


def canonical_name(name: str) -> str:
    """Any spelling of a released tensor's name -> the name in this package's modules."""
    for pattern, new in TO_V2:
        name = pattern.sub(new, name)
    return name


def released_names(state: Mapping[str, Tensor], config: TokenizerConfig) -> dict[str, Tensor]:
    """A state dict under the names that the official reader of such a model expects."""
    if config.always_project:
        return dict(state)
    renamed = {}
    for name, tensor in state.items():
        for ours, theirs in TO_V1:
            name = name.replace(ours, theirs)
        renamed[name] = tensor
    return renamed


def read_released_config(data: Mapping[str, Any]) -> TokenizerConfig:
    """A released config.json -> `TokenizerConfig`; keys that do not bear on inference are ignored.

    Raises ValueError on a missing key or on a variant that no release uses.
    """
    rate = "sampling_rate" if "sampling_rate" in data else "sample_rate"
    sample_rate = _read(int, data, rate)
    encoder = _read(STAGES, data, "encoder_kwargs")
    quantizer = _read(TABLE, data, "quantizer_kwargs")
    if data.get("decoder_kwargs") is not None:
        decoder = _read(STAGES, data, "decoder_kwargs")
    else:
        backwards = _read(STAGES, data, "reversed_decoder_kwargs")
        decoder = [_reversed(stage) for stage in reversed(backwards)]
    kind = quantizer.get("quantizer_type", data.get("quantizer_type", "rlfq"))
    fallback = _read(float, data, "causal_transformer_context_duration", 10.0)
    windows = [_read(float, s, "context_duration") for s in encoder if "context_duration" in s]
    decoder_fallback = min(windows, default=fallback)
    chosen = {
        ours: quantizer[theirs] for theirs, ours in QUANTIZER_KEYS.items() if theirs in quantizer
    }
    chosen["kind"] = "rvq" if kind == "spec_rvq" else kind
    config = TokenizerConfig(
        encoder=tuple(_read_stage(stage, fallback) for stage in encoder),
        decoder=tuple(_read_stage(stage, decoder_fallback) for stage in decoder),
        quantizer=read_config(ResidualQuantizerConfig, chosen, "quantizer_kwargs"),
        sample_rate=sample_rate,
        channels=_read(int, data, "number_channels", 1),
        always_project="number_channels" in data,
    )
    if data.get("downsample_rate", config.frame_size) != config.frame_size:
        raise ValueError(
            f"config.json says downsample_rate {data['downsample_rate']}, its patches fold "
            f"{config.frame_size} samples per channel: the folder is damaged"
        )
    return config


def write_released_config(config: TokenizerConfig) -> dict[str, Any]:
    """A `TokenizerConfig` in the released spelling, for the official reader of such a model.

    A quantizer of another kind than the released models' is written as it is: the official reader
    refuses it. Raises ValueError on stages that no official reader can express.
    """
    windows = {s.window for s in config.encoder if isinstance(s, TransformerConfig)}
    if not config.always_project and (len(windows) > 1 or config.channels > 1):
        raise ValueError(
            "the official 24 kHz reader knows one window for all stages and one channel: set "
            "always_project=True to use the layout of the 48 kHz models"
        )
    v2 = config.always_project
    quantizer = asdict(config.quantizer)  # type: ignore[call-overload]
    if isinstance(config.quantizer, ResidualQuantizerConfig):
        quantizer = {theirs: quantizer[ours] for theirs, ours in QUANTIZER_KEYS.items()}
    data: dict[str, Any] = {
        "architectures": ["MossAudioTokenizerModel"],
        "model_type": "moss-audio-tokenizer" if v2 else "speech_tokenizer",
        "sampling_rate": config.sample_rate,
        "sample_rate": config.sample_rate,
        "downsample_rate": config.frame_size,
        "causal_transformer_context_duration": max(windows),
        "code_dim": config.quantizer.input_dim,
        "encoder_kwargs": [_write_stage(stage, v2) for stage in config.encoder],
        "decoder_kwargs": [_write_stage(stage, v2) for stage in config.decoder],
        "quantizer_type": config.quantizer.kind,
        "quantizer_kwargs": quantizer
        | {
            "output_dim": config.quantizer.input_dim,
            "quantizer_type": config.quantizer.kind,
        },
    }
    if v2:
        data |= {"number_channels": config.channels, "enable_channel_interleave": True}
    return data


def _read_stage(data: Mapping[str, Any], fallback_window: float) -> StageConfig:
    kind = data.get("module_type")
    if kind == "PatchedPretransform":
        return PatchConfig(_read(int, data, "patch_size"))
    if kind != "Transformer":
        raise ValueError(f"config.json names an unknown module_type {kind!r}")
    for key, value in FIXED.items():
        if data.get(key, value) != value:
            raise ValueError(f"config.json asks for {key}={data[key]!r}; only {value!r} is known")
    chosen = {ours: data[theirs] for theirs, ours in STAGE_KEYS.items() if theirs in data}
    window = _read(float, data, "context_duration", fallback_window)
    return read_config(TransformerConfig, chosen | {"window": window}, "a Transformer module")


def _write_stage(stage: StageConfig, v2: bool) -> dict[str, Any]:
    if isinstance(stage, PatchConfig):
        return {"module_type": "PatchedPretransform", "patch_size": stage.size}
    data = {theirs: getattr(stage, ours) for theirs, ours in STAGE_KEYS.items()}
    data = {"module_type": "Transformer", **data, **FIXED, "conv_layout": True}
    return data | {"context_duration": stage.window} if v2 else data


def _reversed(data: Mapping[str, Any]) -> dict[str, Any]:
    """One stage of `reversed_decoder_kwargs`, written encoder-wise, turned into decoder terms."""
    if data.get("module_type") != "Transformer":
        return dict(data)
    swapped = {
        "input_dimension": _read(int, data, "output_dimension"),
        "output_dimension": _read(int, data, "input_dimension"),
    }
    return dict(data) | swapped


def _read(hint: Any, data: Mapping[str, Any], key: str, default: Any = None) -> Any:
    """A value of config.json, of the type `hint`. ValueError if there is neither it nor default."""
    if key not in data and default is None:
        raise ValueError(
            f"config.json lacks {key!r}: it is neither a catok folder nor a released "
            "MOSS-Audio-Tokenizer"
        )
    return read_value(hint, data.get(key, default), f"config.json.{key}")

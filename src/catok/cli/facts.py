"""Facts about `.cat` files and models, and how they are printed."""

import json
import math
from typing import NamedTuple

from catok.io.cat_file import read_header
from catok.io.hub import find_folder
from catok.io.stored_weights import StoredWeights
from catok.modules.patch import PatchConfig
from catok.modules.stack import StageConfig
from catok.tokenizer.checkpoint import JUDGES, SEMANTIC, load_config, open_weights
from catok.tokenizer.model import CodecModel


class Fact(NamedTuple):
    """A key, its value, and the unit it is printed with; a list takes a line per item."""

    key: str
    value: str | int | float | list[str]
    unit: str = ""


def cat_facts(path: str) -> list[Fact]:
    """What a `.cat` file's header tells. Raises ValueError when it is damaged."""
    header = read_header(path)
    frame_rate = header.sample_rate / header.frame_size
    return [
        Fact("file", path),
        Fact("model", header.model_id or "unknown"),
        Fact("weights", header.weight_hash or "unknown"),
        Fact("sample_rate", header.sample_rate, "Hz"),
        Fact("channels", header.channels),
        Fact("codebooks", header.num_quantizers),
        Fact("codebook_size", header.codebook_size),
        Fact("frames", header.frames),
        Fact("frame_rate", frame_rate, "Hz"),
        Fact("samples", header.samples),
        Fact("duration", header.seconds, "s"),
        Fact("bitrate", _bitrate(header.num_quantizers, header.codebook_size, frame_rate), "bit/s"),
        Fact("bytes", header.file_size),
        Fact("measured_bitrate", round(8 * header.file_size / header.seconds, 1), "bit/s"),
    ]


def model_facts(name: str) -> list[Fact]:
    """What a model's folder tells, without loading more of its weights than the quantizer's."""
    folder = find_folder(name)
    config = load_config(folder)
    has_weights = any(folder.glob("*.safetensors"))
    weights = open_weights(folder, "all") if has_weights else StoredWeights(str(folder), {})
    model = weights.build(lambda: CodecModel(config))
    dtypes = sorted({tensor.dtype for tensor in weights.tensors.values()})
    encoder, quantizer, decoder = (
        sum(parameter.numel() for parameter in part.parameters())
        for part in (model.encoder, model.quantizer, model.decoder)
    )
    depths = [2**n for n in range(model.num_quantizers.bit_length())]
    depths = sorted({*depths, model.num_quantizers})
    companions = [name for name in (JUDGES, SEMANTIC) if (folder / name).is_dir()]
    return [
        Fact("model", name),
        Fact("folder", str(folder)),
        Fact("weights", _weight_hash(weights, model)),
        Fact("dtype", ", ".join(dtypes) or "unknown"),
        Fact("sample_rate", model.sample_rate, "Hz"),
        Fact("channels", model.channels),
        Fact("frame_rate", model.frame_rate, "Hz"),
        Fact("frame_size", model.frame_size, "samples"),
        Fact("codebooks", model.num_quantizers),
        Fact("codebook_size", model.codebook_size),
        Fact("bitrate", _rate_at(model.num_quantizers, model), "bit/s"),
        Fact(
            "bitrates",
            [f"{_rate_at(depth, model):.10g} bit/s with {depth} codebook(s)" for depth in depths],
        ),
        Fact("encoder_parameters", encoder),
        Fact("quantizer_parameters", quantizer),
        Fact("decoder_parameters", decoder),
        Fact("total_parameters", encoder + quantizer + decoder),
        Fact("fine_tuning_with", ", ".join(companions) or "nothing"),
        Fact("encoder", [_stage(stage) for stage in config.encoder]),
        Fact("decoder", [_stage(stage) for stage in config.decoder]),
    ]


def as_json(facts: list[Fact]) -> str:
    """One JSON object."""
    return json.dumps({fact.key: fact.value for fact in facts}, indent=2)


def as_lines(facts: list[Fact]) -> str:
    """Aligned lines of key and value."""
    width = max(len(fact.key) for fact in facts)
    lines = []
    for key, value, unit in facts:
        if isinstance(value, list):
            first, *others = value
            lines += [f"{key:{width}}  {first}", *(f"{'':{width}}  {other}" for other in others)]
        else:
            text = f"{value:.10g}" if isinstance(value, float) else str(value)
            lines.append(f"{key:{width}}  {text} {unit}".rstrip())
    return "\n".join(lines)


def _bitrate(depth: int, codebook_size: int, frame_rate: float) -> float:
    return depth * math.log2(codebook_size) * frame_rate


def _rate_at(depth: int, model: CodecModel) -> float:
    return _bitrate(depth, model.codebook_size, model.frame_rate)


def _stage(stage: StageConfig) -> str:
    if isinstance(stage, PatchConfig):
        return f"patch {stage.size}"
    return (
        f"transformer {stage.input_dim} -> {stage.output_dim}, width {stage.width}, "
        f"{stage.layers} layer(s), {stage.heads} heads, window {stage.window:g} s"
    )


def _weight_hash(weights: StoredWeights, model: CodecModel) -> str:
    """Of the stored quantizer, the only part that is read; "unknown" without weights."""
    if not weights.tensors:
        return "unknown"
    start = "quantizer."
    stored = weights.renamed(lambda n: n.removeprefix(start) if n.startswith(start) else None)
    found = stored.read(model.quantizer.state_dict())
    model.quantizer.load_state_dict(found, assign=True)
    return model.weight_hash

"""Facts about the folder of an audio tokenizer."""

from pathlib import Path

from catok.cli.descriptions import Fact, bitrate
from catok.io.hub import find_folder
from catok.io.stored_weights import StoredWeights
from catok.modules.patch import PatchConfig
from catok.modules.stack import StageConfig
from catok.tokenizer.checkpoint import (
    DISCRIMINATORS,
    SEMANTIC,
    load_config,
    open_weights,
    read_state,
)
from catok.tokenizer.model import CodecModel


def describe_model(name: str) -> list[Fact]:
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
    counts = [2**n for n in range(model.num_quantizers.bit_length())]
    counts = sorted({*counts, model.num_quantizers})
    companions = [name for name in (DISCRIMINATORS, SEMANTIC) if (folder / name).is_dir()]
    return [
        Fact("model", name),
        Fact("folder", str(folder)),
        Fact("weights", _weight_hash(folder, weights, model)),
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
            [
                f"{_rate_at(num_quantizers, model):.10g} bit/s with {num_quantizers} codebook(s)"
                for num_quantizers in counts
            ],
        ),
        Fact("encoder_parameters", encoder),
        Fact("quantizer_parameters", quantizer),
        Fact("decoder_parameters", decoder),
        Fact("total_parameters", encoder + quantizer + decoder),
        Fact("fine_tuning_with", ", ".join(companions) or "nothing"),
        Fact("encoder", [_stage(stage) for stage in config.encoder]),
        Fact("decoder", [_stage(stage) for stage in config.decoder]),
    ]


def _rate_at(num_quantizers: int, model: CodecModel) -> float:
    return bitrate(num_quantizers, model.codebook_size, model.frame_rate)


def _stage(stage: StageConfig) -> str:
    if isinstance(stage, PatchConfig):
        return f"patch {stage.size}"
    return (
        f"transformer {stage.input_dim} -> {stage.output_dim}, width {stage.width}, "
        f"{stage.layers} layer(s), {stage.heads} heads, window {stage.window:g} s"
    )


def _weight_hash(folder: Path, weights: StoredWeights, model: CodecModel) -> str:
    """Of the stored quantizer, the only part that is read; "unknown" without weights."""
    if not weights.tensors:
        return "unknown"
    start = "quantizer."
    stored = weights.renamed(lambda name: name if name.startswith(start) else None)
    wanted = {start + name: tensor for name, tensor in model.quantizer.state_dict().items()}
    state = read_state(folder, stored, wanted, model.config)
    quantizer_state = {name.removeprefix(start): tensor for name, tensor in state.items()}
    model.quantizer.load_state_dict(quantizer_state, assign=True)
    return model.weight_hash

"""Facts about every kind of folder that this package writes."""

import math
from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from catok.cli.describe_model import describe_model
from catok.cli.descriptions import Fact, bitrate
from catok.io import kinds
from catok.io.cat_file import read_header
from catok.io.hub import find_folder
from catok.io.json import parse_object, read_json
from catok.io.kinds import Kind, folder_kind
from catok.io.stored_weights import StoredWeights, weight_files
from catok.io.text import read_text

if TYPE_CHECKING:
    from catok.lm.config import TokenLMConfig
    from catok.lm.speech_config import SpeechConfig


def describe_folder(name: str) -> list[Fact]:
    """What a folder is, what takes it, and what is in it, by the kind of it.

    `name`: an embedded model, a folder or a hub id. Raises ValueError where it is not found, is of
    no known kind, or is damaged.
    """
    folder = find_folder(name)
    kind = folder_kind(folder)
    if kind is None:
        raise ValueError(
            f"{name} is no folder of a kind that catok knows: it has no config.json of a model, "
            "and neither the state of a training run nor tokens nor results in it"
        )
    facts = [Fact("kind", kind.text), Fact("use", kind.use)]
    if kind == kinds.TOKENIZER:
        return [*facts, *describe_model(name)]
    facts += [Fact("name", name), Fact("folder", str(folder))]
    return [*facts, *_describer(kind)(folder)]


def _describer(kind: Kind) -> Callable[[Path], list[Fact]]:
    if kind in kinds.SPEECH_KINDS:
        return _speech
    return {
        kinds.DISCRIMINATORS: _discriminators,
        kinds.SEMANTIC: _semantic,
        kinds.SHARDS: _shards,
        kinds.ONNX: _onnx,
        kinds.ONNX_SPEECH: _onnx_speech,
        kinds.TOKENS: _tokens,
        kinds.RUN: _run,
        kinds.RESULTS: _results,
    }.get(kind, lambda folder: [])


def _speech(folder: Path) -> list[Fact]:
    from catok.lm.asr.ctc import CTC
    from catok.lm.folder import load_config
    from catok.lm.released import UNUSED
    from catok.lm.speech_config import SpeechConfig

    return [
        *_language_model(load_config(folder)),
        *_weights(weight_files(folder), folder, without={UNUSED}),
        Fact("timestamps", "yes" if (folder / CTC).exists() else "no"),
        *_speech_facts(SpeechConfig.load(folder)),
    ]


def _language_model(config: "TokenLMConfig") -> list[Fact]:
    language = config.language_config
    return [
        Fact("text_ids", config.vocab_size),
        Fact("codebooks", config.n_vq if config.audio_heads else 0),
        Fact("codebook_size", config.audio_vocab_size),
        Fact("sample_rate", config.sampling_rate, "Hz"),
        Fact(
            "temporal",
            f"width {language.hidden_size}, {language.num_hidden_layers} layer(s), "
            f"{language.num_attention_heads} heads",
        ),
        Fact("depth", f"width {config.local_hidden_size}, {config.local_num_layers} layer(s)"),
    ]


def _speech_facts(speech: "SpeechConfig | None") -> list[Fact]:
    if speech is None:
        return [Fact("tokenizer", "not said (no speech.json): name it with --tokenizer")]
    return [
        Fact("tasks", ", ".join(speech.tasks)),
        Fact("languages", ", ".join(speech.languages) or "not said"),
        Fact("text", speech.text),
        Fact("tokenizer", speech.tokenizer),
        Fact("tokenizer_weights", speech.weight_hash or "unknown"),
    ]


def _discriminators(folder: Path) -> list[Fact]:
    from catok.training.codec.discriminators.ensemble import WEIGHTS, read_discriminator_config

    config = asdict(read_discriminator_config(folder))
    facts = [Fact(key, ", ".join(map(str, _list(value)))) for key, value in config.items()]
    return [*facts, *_weights([folder / WEIGHTS], folder)]


def _semantic(folder: Path) -> list[Fact]:
    from catok.training.codec.semantic.folder import WEIGHTS, read_config_of

    config = read_config_of(folder)
    facts = [Fact("tasks", ", ".join(config.tasks)), Fact("text", config.text)]
    return [*facts, *_weights([folder / WEIGHTS], folder)]


def _shards(folder: Path) -> list[Fact]:
    from catok.corpus.ledger import TokenFolder

    tokens = TokenFolder.open(folder)
    space, entries = tokens.settings.space, [entry for _, entry in tokens.entries()]
    return [
        Fact("format", tokens.settings.format),
        Fact("shards", len(entries)),
        Fact("recordings", sum(entry.rows for entry in entries)),
        Fact("failures", sum(len(entry.failures) for entry in entries)),
        Fact("tokenizer", space.model),
        Fact("tokenizer_weights", space.weight_hash),
        Fact("codebooks", space.num_quantizers),
    ]


def _onnx(folder: Path) -> list[Fact]:
    from catok.export import read_description

    description = read_description(folder)
    sizes = {graph.file: graph.size for graph in description.graphs.values()} | description.weights
    num_quantizers, codes = description.num_quantizers, description.codebook_size
    return [
        Fact("model", description.model_id or "unknown"),
        Fact("weights", description.weight_hash),
        Fact("dtype", description.dtype),
        Fact("linear_layers", [f"{n} in {kind}" for kind, n in description.precisions.items()]),
        Fact("sample_rate", description.sample_rate, "Hz"),
        Fact("channels", description.channels),
        Fact("frame_rate", description.frame_rate, "Hz"),
        Fact("frame_size", description.frame_size, "samples"),
        Fact("codebooks", num_quantizers),
        Fact("codebook_size", codes),
        Fact("bitrate", bitrate(num_quantizers, codes, description.frame_rate), "bit/s"),
        Fact("graphs", ", ".join(description.graphs)),
        Fact("files", [f"{name}, {size} bytes" for name, size in sizes.items()]),
    ]


def _onnx_speech(folder: Path) -> list[Fact]:
    from catok.export.description import read_speech_description
    from catok.lm.config import TokenLMConfig
    from catok.lm.speech_config import SpeechConfig

    description, speech = read_speech_description(folder), SpeechConfig.load(folder)
    sizes = {graph.file: graph.size for graph in description.graphs.values()} | description.weights
    return [
        Fact("dtype", description.dtype),
        *_language_model(TokenLMConfig.from_dict(description.token_lm)),
        Fact("timestamps", "yes" if description.ctc_per_frame else "no"),
        *_speech_facts(speech),
        Fact("files", [f"{name}, {size} bytes" for name, size in sizes.items()]),
    ]


def _tokens(folder: Path) -> list[Fact]:
    lines = [line for line in read_text(folder / "tokens.jsonl").splitlines() if line.strip()]
    facts = [Fact("recordings", len(lines))]
    if lines:
        named = parse_object(lines[0], f"line 1 of {folder / 'tokens.jsonl'}").get("codes")
        if isinstance(named, str) and (folder / named).exists():
            header = read_header(folder / named)
            facts += [
                Fact("tokenizer", header.model_id or "unknown"),
                Fact("tokenizer_weights", header.weight_hash or "unknown"),
                Fact("codebooks", header.num_quantizers),
            ]
    return facts


def _run(folder: Path) -> list[Fact]:
    from catok.training.engine.logging import LOG, last_step

    step = last_step(folder / LOG)
    models = sorted(path.parent.name for path in folder.glob("model*/config.json"))
    return [
        Fact("logged_up_to_step", "unknown" if step is None else step),
        Fact("models", ", ".join(models) or "none yet"),
    ]


def _results(folder: Path) -> list[Fact]:
    rows = sum(1 for line in read_text(folder / "rows.jsonl", 1 << 30).splitlines() if line.strip())
    facts = [Fact("rows", rows)]
    if (folder / "run.json").exists():
        systems = read_json(folder / "run.json").get("systems")
        names = [s.get("name") for s in _list(systems) if isinstance(s, dict)]
        facts.append(Fact("systems", ", ".join(map(str, names)) or "none"))
    return facts


def _weights(files: list[Path], folder: Path, without: Collection[str] = ()) -> list[Fact]:
    weights = StoredWeights.open(files, folder)
    tensors = [tensor for name, tensor in weights.tensors.items() if name not in without]
    return [
        Fact("parameters", sum(math.prod(tensor.shape) for tensor in tensors)),
        Fact("dtype", ", ".join(sorted({tensor.dtype for tensor in tensors}))),
    ]


def _list(value: object) -> list:
    return list(value) if isinstance(value, list | tuple) else [value]

"""Writing a folder of graphs, which appears only when it is whole."""

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from torch import nn

from catok.export.description import DESCRIPTION, Description, GraphFile
from catok.export.graph import Graph
from catok.export.graphs import GRAPHS, build
from catok.export.plan import Plan
from catok.export.weights import INLINE_LIMIT, ExternalWeights, InlineWeights
from catok.extras import require
from catok.io.files import StrPath, replacing
from catok.tokenizer.model import CodecModel
from catok.tokenizer.tokenizer import CausalAudioTokenizer

BYTES = {"float32": 4.0, "float16": 2.0, "int8": 1.0, "int4": 0.54}
"""Of a weight, by its precision."""


def export_tokenizer(
    model: CausalAudioTokenizer, folder: StrPath, plan: Plan | None = None
) -> None:
    """Write a loaded tokenizer's graphs and onnx.json into `folder`, which is made.

    `plan`: by default all graphs in float32; of a model of which only half is loaded, that half's.
    A folder of graphs that is there is replaced when all is written. Raises ValueError where the
    package onnx is missing or the folder cannot be written.
    """
    export_parts([model], folder, plan)


def export_parts(
    models: Iterable[CausalAudioTokenizer], folder: StrPath, plan: Plan | None = None
) -> None:
    """As `export_tokenizer`, of a model that comes in halves, each of which is let go of.

    So a model can be exported in half its memory.
    """
    require("export")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{name}.onnx" for names in GRAPHS.values() for name in names]
    with replaced_graphs(folder, [*names, *(f"{half}.weights" for half in GRAPHS)]) as written:
        place, finish = written
        finish(_write(models, place, plan or Plan()).to_dict())


@contextmanager
def replaced_graphs(
    folder: Path, names: Collection[str]
) -> Iterator[tuple[Path, Callable[[dict[str, Any]], None]]]:
    """Context of a new place for files of these names, and what takes the description of them.

    When that has been given they take their places in `folder`, and what else is there of these
    names, from an earlier export, is removed. If anything fails, all stays as it was.
    """
    with replacing(folder / DESCRIPTION) as temporary:
        place = Path(temporary).parent  # on the same disk, and removed if this fails

        def finish(description: dict[str, Any]) -> None:
            Path(temporary).write_text(json.dumps(description, indent=1) + "\n")
            (folder / DESCRIPTION).unlink(missing_ok=True)
            for name in names:
                if (place / name).exists():
                    os.replace(place / name, folder / name)
                else:
                    (folder / name).unlink(missing_ok=True)

        yield place, finish


def write_graph(graph: Graph, place: Path, metadata: dict[str, str]) -> int:
    """Write a graph under its name; the size of the file in bytes."""
    content = graph.model(metadata).SerializeToString()
    (place / f"{graph.name}.onnx").write_bytes(content)
    return len(content)


def _write(models: Iterable[CausalAudioTokenizer], place: Path, plan: Plan) -> Description:
    graphs: dict[str, GraphFile] = {}
    weights: dict[str, int] = {}
    counts: dict[str, int] = {}
    model = None
    for model in models:
        for half in GRAPHS:
            if model.part not in ("all", half) or not plan.of_half(half):
                continue
            graphs |= _write_half(model, half, place, plan)
            if (place / f"{half}.weights").exists():
                weights[f"{half}.weights"] = (place / f"{half}.weights").stat().st_size
            for name in linear_names(model, half):
                precision = plan.precision(name)
                counts[precision] = counts.get(precision, 0) + 1
    if model is None or not graphs:
        raise ValueError("nothing to export: no graph of the parts that are loaded was asked for")
    return Description(
        model_id=model.model_id,
        weight_hash=model.weight_hash,
        dtype=plan.dtype,
        sample_rate=model.sample_rate,
        channels=model.channels,
        frame_size=model.frame_size,
        frame_rate=model.frame_rate,
        num_quantizers=model.num_quantizers,
        codebook_size=model.codebook_size,
        latent_dim=model.config.quantizer.input_dim,
        graphs=graphs,
        tokenizer=model.config.to_dict(),
        weights=weights,
        precisions=counts,
    )


def _write_half(model: CodecModel, half: str, place: Path, plan: Plan) -> dict[str, GraphFile]:
    modules = dict(model.named_modules())
    size = sum(
        BYTES[plan.precision(name)] * modules[name].weight.numel()  # type: ignore[union-attr]
        for name in linear_names(model, half)
    )
    external = size > INLINE_LIMIT
    files = {}
    with ExternalWeights(place, f"{half}.weights") if external else nullcontext() as shared:
        for name in plan.of_half(half):
            built = build(name, model, plan.precision, shared or InlineWeights())
            metadata = {"model_id": model.model_id, "weight_hash": model.weight_hash}
            size = write_graph(built.graph, place, metadata)
            files[name] = GraphFile(f"{name}.onnx", size, built.state)
    return files


def linear_names(model: CodecModel, half: str) -> list[str]:
    """The names of a half's linear layers, which have a precision."""
    return [
        name
        for name, module in model.named_modules()
        if name.startswith(f"{half}.") and isinstance(module, nn.Linear)
    ]

"""Writing a speech model as graphs: its language model's in a folder, its tokenizer's in one in it.

What else is in the folder of a speech model stands there too: speech.json, and the files of a text
tokenizer.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from catok.export.description import GraphFile, SpeechDescription
from catok.export.folder import BYTES, export_tokenizer, replaced_graphs, write_graph
from catok.export.graph import Graph, WeightStore
from catok.export.linear import Precision
from catok.export.lm_graphs import LM_GRAPHS, ctc, depth_step, temporal_step
from catok.export.plan import Plan
from catok.export.weights import INLINE_LIMIT, ExternalWeights, InlineWeights
from catok.extras import require
from catok.io.files import StrPath
from catok.lm.asr.ctc import CTCHead
from catok.lm.model import TokenLM
from catok.lm.speech_config import SpeechConfig
from catok.lm.speech_model import SpeechModel
from catok.lm.text import ModelTokenizer
from catok.tokenizer.tokenizer import CausalAudioTokenizer

TOKENIZER, WEIGHTS = "tokenizer", "lm.weights"


def export_speech_model(speech: SpeechModel, folder: StrPath, dtype: Precision = "float32") -> None:
    """Write a loaded speech model's graphs and onnx.json into `folder`, which is made.

    `dtype` is that of the linear layers, those of the tokenizer as `Plan.default` has it; below
    float32 embeddings have 16 bits. Graphs that are there are replaced when all are written.
    Raises ValueError where the model is none of PyTorch's, the package onnx is missing or the
    folder cannot be written.
    """
    require("export")
    model, tokenizer, head = speech.model, speech.tokenizer, speech.ctc_head
    if not isinstance(model, TokenLM) or not isinstance(tokenizer, CausalAudioTokenizer):
        raise ValueError("only what PyTorch runs can be exported: load it without a backend")
    assert head is None or isinstance(head, CTCHead)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    export_tokenizer(tokenizer, folder / TOKENIZER, Plan.default(tokenizer.config, dtype))
    if isinstance(speech.text, ModelTokenizer):
        speech.text.save(folder)
    text = "files" if isinstance(speech.text, ModelTokenizer) else "bytes"
    config = speech.config or SpeechConfig(TOKENIZER, text=text)
    replace(config, tokenizer=TOKENIZER, weight_hash=tokenizer.weight_hash).save(folder)
    names = [f"{name}.onnx" for name in LM_GRAPHS]
    with replaced_graphs(folder, [*names, WEIGHTS]) as (place, finish):
        finish(_write(model, head, place, dtype).to_dict())


def _write(
    model: TokenLM, head: CTCHead | None, place: Path, dtype: Precision
) -> SpeechDescription:
    builders: dict[str, Callable[[WeightStore], Graph]] = {
        "temporal_step": partial(temporal_step, model, dtype),
        "depth_step": partial(depth_step, model, dtype),
    }
    if head is not None:
        builders["ctc"] = partial(ctc, head)
    size = BYTES[dtype] * sum(each.numel() for each in model.parameters())
    graphs: dict[str, GraphFile] = {}
    with ExternalWeights(place, WEIGHTS) if size > INLINE_LIMIT else nullcontext() as shared:
        for name, build in builders.items():
            graph = build(shared or InlineWeights())
            graphs[name] = GraphFile(f"{name}.onnx", write_graph(graph, place, {}))
    weights = {WEIGHTS: (place / WEIGHTS).stat().st_size} if shared else {}
    return SpeechDescription(
        dtype,
        model.config.to_dict(),
        graphs,
        0 if head is None else head.per_frame,
        weights,
    )

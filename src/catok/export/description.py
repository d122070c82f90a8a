"""onnx.json, which makes a folder of graphs a tokenizer: what is in it and how it is run."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from catok.io.config import check_format, read_config
from catok.io.json import read_json

DESCRIPTION = "onnx.json"
FORMAT = 1


@dataclass(frozen=True)
class LayerState:
    """The state of one layer: rings of keys and values, each `[B, heads, slots, head_dim]`."""

    heads: int
    slots: int
    head_dim: int


@dataclass(frozen=True)
class GraphFile:
    """A graph and the bytes of its file; `state`: of a step graph, of every layer."""

    file: str
    size: int
    state: tuple[LayerState, ...] = ()


@dataclass(frozen=True)
class Description:
    """What a folder of graphs is: the facts of its tokenizer, and the graphs by name.

    `dtype` is what was asked for ("int8"); `precisions` counts the linear layers by what they are.
    `weights`: the weight files beside the graphs, with their sizes. `tokenizer`: the whole
    configuration, as `TokenizerConfig.from_dict` reads it.
    """

    model_id: str
    weight_hash: str
    dtype: str
    sample_rate: int
    channels: int
    frame_size: int
    frame_rate: float
    num_quantizers: int
    codebook_size: int
    latent_dim: int
    graphs: dict[str, GraphFile]
    tokenizer: dict[str, Any]
    weights: dict[str, int] = field(default_factory=dict)
    precisions: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `read_description` reads it."""
        return {"format": FORMAT, **asdict(self)}


@dataclass(frozen=True)
class SpeechDescription:
    """What the folder of a speech model is, beside its speech.json: the graphs of its language
    model, by name. The audio tokenizer's are in a folder inside it.

    `token_lm`: the configuration, as `TokenLMConfig.from_dict` reads it. `ctc_per_frame`: positions
    of a frame in what the graph `ctc` gives, 0 without it.
    """

    dtype: str
    token_lm: dict[str, Any]
    graphs: dict[str, GraphFile]
    ctc_per_frame: int = 0
    weights: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `read_speech_description` reads it."""
        return {"format": FORMAT, **asdict(self)}


_Kind = TypeVar("_Kind", Description, SpeechDescription)


def read_description(folder: str | Path) -> Description:
    """Of a folder that `catok export` wrote. Raises ValueError where it is missing or damaged."""
    return _read(Description, Path(folder))


def read_speech_description(folder: str | Path) -> SpeechDescription:
    """The same of the folder of a speech model."""
    return _read(SpeechDescription, Path(folder))


def _read(kind: type[_Kind], folder: Path) -> _Kind:
    path = folder / DESCRIPTION
    if not path.exists():
        raise ValueError(
            f"{folder} holds no ONNX graphs (no {DESCRIPTION}): make them with catok export"
        )
    data = read_json(path)
    check_format(data, FORMAT, path)
    data.pop("format", None)
    description = read_config(kind, data, str(path))
    sizes = {graph.file: graph.size for graph in description.graphs.values()} | description.weights
    for name, size in sizes.items():
        if Path(name).name != name:
            raise ValueError(f"{path} names {name!r}, which is no file of its folder")
        actual = (folder / name).stat().st_size if (folder / name).exists() else None
        if actual != size:
            state = "is missing" if actual is None else f"has {actual} bytes instead of {size}"
            raise ValueError(f"{folder / name} {state}: copy or export the folder again")
    return description

"""Loading a model for a command."""

from typing import TYPE_CHECKING, TypeVar

import torch

from catok.cli.arguments import DeviceName, DtypeName
from catok.io.devices import as_device
from catok.io.hub import find_folder
from catok.io.kinds import ONNX, ONNX_SPEECH, folder_kind
from catok.tokenizer.interface import AudioTokenizer
from catok.tokenizer.model import Part
from catok.tokenizer.tokenizer import CausalAudioTokenizer

if TYPE_CHECKING:  # commands of the codec do not load language models
    from catok.lm.from_pretrained import FromPretrained

_Speech = TypeVar("_Speech", bound="FromPretrained")


def pick_device(name: DeviceName) -> torch.device:
    """The device of that name; "auto" is the GPU where there is one. ValueError without a GPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return as_device(name)


def load_model(
    name: str, device: DeviceName, dtype: DtypeName, part: Part = "all"
) -> CausalAudioTokenizer:
    """`CausalAudioTokenizer.from_pretrained` on the device of that name."""
    return CausalAudioTokenizer.from_pretrained(
        name, device=pick_device(device), dtype=dtype, part=part
    )


def load_tokenizer(
    name: str, device: DeviceName, dtype: DtypeName, part: Part = "all"
) -> AudioTokenizer:
    """As `load_model`; a folder of ONNX graphs is run by onnxruntime, with PyTorch's threads."""
    if folder_kind(find_folder(name)) != ONNX:
        return load_model(name, device, dtype, part)
    _check_for_graphs(name, device, dtype)
    return CausalAudioTokenizer.from_pretrained(
        name, part=part, backend="onnx", threads=torch.get_num_threads()
    )


def load_speech(
    kind: type[_Speech], name: str, tokenizer: str | None, device: DeviceName, dtype: DtypeName
) -> _Speech:
    """The same for a synthesizer or a recogniser."""
    if folder_kind(find_folder(name)) != ONNX_SPEECH:
        return kind.from_pretrained(
            name, tokenizer=tokenizer, device=pick_device(device), dtype=dtype
        )
    _check_for_graphs(name, device, dtype)
    return kind.from_pretrained(
        name, tokenizer=tokenizer, backend="onnx", threads=torch.get_num_threads()
    )


def _check_for_graphs(name: str, device: DeviceName, dtype: DtypeName) -> None:
    if device == "cuda" or dtype != "float32":
        raise ValueError(
            f"{name} holds ONNX graphs, which run on the CPU in the dtype that they were exported "
            "in: leave --device and --dtype out"
        )

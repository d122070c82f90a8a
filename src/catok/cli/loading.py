"""Loading a model for a command."""

import torch

from catok.cli.arguments import DeviceName, DtypeName
from catok.io.devices import as_device
from catok.tokenizer.model import Part
from catok.tokenizer.tokenizer import CausalAudioTokenizer


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

"""Facts about `.cat` files and models, and how they are printed; no PyTorch is needed here."""

import json
import math
from typing import BinaryIO, NamedTuple

from catok.io.cat_file import read_header
from catok.io.files import name_of


class Fact(NamedTuple):
    """A key, its value, and the unit it is printed with; a list takes a line per item."""

    key: str
    value: str | int | float | list[str]
    unit: str = ""


def describe_cat(path_or_file: str | BinaryIO) -> list[Fact]:
    """What a `.cat` file's header tells. Raises ValueError when it is damaged."""
    header = read_header(path_or_file)
    frame_rate = header.sample_rate / header.frame_size
    return [
        Fact("file", name_of(path_or_file)),
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
        Fact("bitrate", bitrate(header.num_quantizers, header.codebook_size, frame_rate), "bit/s"),
        Fact("bytes", header.file_size),
        Fact("measured_bitrate", round(8 * header.file_size / header.seconds, 1), "bit/s"),
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


def bitrate(num_quantizers: int, codebook_size: int, frame_rate: float) -> float:
    """Bits per second of so many codebooks."""
    return num_quantizers * math.log2(codebook_size) * frame_rate

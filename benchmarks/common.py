"""What the benchmarks share: choosing a model, describing the machine, tables and JSON."""

import argparse
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from catok import CausalAudioTokenizer

TIE = 1e-5  # a best distance this close (relative) to the second best is a matter of rounding


def add_model_options(parser: argparse.ArgumentParser, preset: str | None = None) -> None:
    """Options --model and --preset, of which one is given; `preset` is the default."""
    choice = parser.add_mutually_exclusive_group(required=preset is None)
    choice.add_argument("--model", help="folder or name of a trained model")
    choice.add_argument("--preset", default=preset, help="a preset with random weights")


def load_model(name: str | None, preset: str | None) -> "CausalAudioTokenizer":
    """The model `name`, or else the preset with seeded random weights."""
    import torch

    from catok import CausalAudioTokenizer, TokenizerConfig

    if name:
        return CausalAudioTokenizer.from_pretrained(name)
    assert preset is not None
    torch.manual_seed(0)
    config = TokenizerConfig.preset(preset)
    return CausalAudioTokenizer(config, model_id=f"{preset}-random").eval()


def load_recording(path: str, model: "CausalAudioTokenizer") -> "Tensor":
    """Audio `[C, T]` as the model wants it, from an audio file or a .npy array at its rate."""
    import numpy as np
    import torch

    from catok import load_audio

    if path.endswith(".npy"):
        audio = torch.from_numpy(np.load(path)).float()
        return audio.reshape(-1, audio.shape[-1])
    return load_audio(path, sample_rate=model.sample_rate, channels=model.channels)[0]


def rounding_ties(
    model: "CausalAudioTokenizer", latents: "Tensor", places: "Tensor"
) -> list[float]:
    """How narrowly codebook k won at frame f, for every (k, f) of `places` `[N, 2]`.

    (second best - best) / second best distance, in float64, from `latents` `[1, D, F]`, what the
    encoder gave. A place below `TIE` is decided by rounding alone.
    """
    import torch
    import torch.nn.functional as F

    margins = {}
    with torch.no_grad():
        residual = model.quantizer.input_proj(latents)
        for index, layer in enumerate(model.quantizer.quantizers):
            out = layer(residual)
            for place, (book, frame) in enumerate(places.tolist()):
                if book == index:
                    query, rows = (
                        out.projected[0, :, frame].double(),
                        layer.codebook.weight.double(),
                    )
                    if layer.cosine:
                        query, rows = F.normalize(query, dim=0), F.normalize(rows)
                    best, second = (rows - query).pow(2).sum(1).topk(2, largest=False).values
                    margins[place] = float((second - best) / second) if second > 0 else 0.0
            residual = residual - out.contribution
    return [margins[place] for place in range(len(places))]


def compare_codes(
    model: "CausalAudioTokenizer", audio: "Tensor", expected: "Tensor", got: "Tensor"
) -> dict[str, Any]:
    """Count the codes `[K, F]` that differ, and how many differences begin with a rounding tie.

    `audio` `[C, T]` is what `expected` encodes. Codes of one frame hang together: once a codebook
    chooses differently, those after it see another residual. So only the first difference of each
    frame is judged.
    """
    import torch

    wrong = expected != got
    frames = wrong.any(0).nonzero()[:, 0]
    result = {"codes": wrong.numel(), "different": int(wrong.sum()), "frames": len(frames)}
    result |= {"ties": 0, "widest_margin": 0.0}
    if len(frames):
        places = torch.stack((wrong[:, frames].int().argmax(0), frames), dim=1)
        margins = rounding_ties(model, _latents(model, audio, expected.shape[1]), places)
        result["ties"] = sum(margin < TIE for margin in margins)
        result["widest_margin"] = max(margins)
    return result


def _latents(model: "CausalAudioTokenizer", audio: "Tensor", frames: int) -> "Tensor":
    import torch

    missing = frames * model.frame_size - audio.shape[1]
    padded = torch.nn.functional.pad(audio, (0, missing))[None]
    with torch.no_grad():
        return model.encoder(model.interleave(padded)).float()


def machine(threads: int | Sequence[int]) -> dict[str, Any]:
    """Where and with what the numbers were measured."""
    import torch

    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), name)
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "threads": threads,
        "load_average": [round(x, 2) for x in os.getloadavg()],
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; floats with three significant digits."""
    lines = [header, ["---:"] * len(header), *([show(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def show(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:#.3g}" if cell else "0"
    return str(cell)


def write_json(path: str | None, result: dict[str, Any]) -> None:
    """Write the result, if a path was given."""
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(result, indent=2) + "\n")
        print(f"\nwritten to {path}")

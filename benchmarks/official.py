"""The official code of the 24 kHz model and this package with the same random weights.

    python -m benchmarks.official PATH --layers 2 --threads 1

PATH is a checkout of github.com/OpenMOSS/MOSS-Audio-Tokenizer. `--layers` shortens every stage, so
that it runs on small machines; without it the model has its 1.77 billion parameters (7 GB, twice).
Prints one JSON object a line: seconds of processor time per second of audio, whole recordings and
steps of 80 ms, and whether the codes of the whole recording are equal.
"""

import argparse
import importlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from catok import CausalAudioTokenizer
from catok.tokenizer.released import canonical_name, read_released_config

STEP = 0.08


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--layers", type=int, help="per stage, at most")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--step-seconds", type=float, default=2.0, help="of audio in steps")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    data = json.loads((options.path / "config.json").read_text())
    for stages in (data["encoder_kwargs"], data.get("decoder_kwargs") or []):
        for stage in stages:
            if options.layers and "num_layers" in stage:
                stage["num_layers"] = min(stage["num_layers"], options.layers)
    dtype = getattr(torch, options.dtype)
    official = build_official(options.path, data)
    ours = CausalAudioTokenizer(read_released_config(data))
    ours.load_state_dict({canonical_name(k): v for k, v in official.state_dict().items()})
    official, ours = official.eval().to(dtype), ours.eval().to(dtype)
    facts = {
        "parameters": sum(p.numel() for p in ours.parameters()),
        "threads": options.threads,
        "dtype": options.dtype,
    }
    audio = 0.1 * torch.randn(1, 1, round(options.seconds * 24_000))
    steps = round(options.step_seconds / STEP)
    short = audio[..., : steps * ours.frame_size]
    codes = ours.encode(audio).codes
    given = codes[..., :steps]
    theirs = codes.transpose(0, 1)
    cases: dict[str, tuple[float, Callable[[], Any], Callable[[], Any]]] = {
        "encode whole": (
            options.seconds,
            lambda: official.encode(audio),
            lambda: ours.encode(audio),
        ),
        "decode whole": (
            options.seconds,
            lambda: official.decode(theirs),
            lambda: ours.decode(codes),
        ),
        "encode steps": (
            steps * STEP,
            lambda: official.encode(short, chunk_duration=STEP),
            lambda: encode_steps(ours, short),
        ),
        "decode steps": (
            steps * STEP,
            lambda: official.decode(given.transpose(0, 1), chunk_duration=STEP),
            lambda: decode_steps(ours, given),
        ),
    }
    for name, (seconds, their_call, our_call) in cases.items():
        row: dict[str, Any] = {"case": name, **facts}
        for who, call in (("official", their_call), ("catok", our_call)):
            row[who] = measured(call, seconds)
        if isinstance(row["official"], float) and isinstance(row["catok"], float):
            row["ratio"] = round(row["catok"] / row["official"], 3)
        print(json.dumps(row), flush=True)
    if options.dtype == "float32":
        same = official.encode(audio).audio_codes.transpose(0, 1)[..., : codes.shape[2]] == codes
        print(json.dumps({"case": "equal codes", "share": same.float().mean().item()}))


def measured(call: Callable[[], Any], seconds: float, repeats: int = 3) -> float | str:
    """The least processor time of some calls per second of audio; an error's text."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        try:
            call()
        except Exception as error:  # of the official code, in half precision
            return f"{type(error).__name__}: {error}"[:100]
        times.append(time.process_time() - start)
    return round(min(times) / seconds, 4)


def encode_steps(tokenizer: CausalAudioTokenizer, audio: torch.Tensor) -> None:
    """A frame at a time."""
    state = tokenizer.encoder_state()
    for chunk in audio.split(tokenizer.frame_size, dim=2):
        _, state = tokenizer.encode_step(chunk, state)


def decode_steps(tokenizer: CausalAudioTokenizer, codes: torch.Tensor) -> None:
    """Likewise."""
    state = tokenizer.decoder_state()
    for chunk in codes.split(1, dim=2):
        _, state = tokenizer.decode_step(chunk, state)


def build_official(path: Path, data: dict[str, Any]) -> Any:
    """The official model with random weights."""
    package = "official_moss_audio_tokenizer"
    spec = importlib.util.spec_from_loader(package, loader=None, is_package=True)
    assert spec is not None
    parent = importlib.util.module_from_spec(spec)
    parent.__path__ = [str(path)]
    sys.modules[package] = parent
    configuration = imported(f"{package}.configuration_moss_audio_tokenizer")
    modeling = imported(f"{package}.modeling_moss_audio_tokenizer")
    known = {k: v for k, v in data.items() if k not in ("auto_map", "architectures", "model_type")}
    return modeling.MossAudioTokenizerModel(configuration.MossAudioTokenizerConfig(**known))


def imported(name: str) -> ModuleType:
    """A module of the checkout."""
    return importlib.import_module(name)


if __name__ == "__main__":
    main()

"""The official code of the 24 kHz model and this package with the same random weights.

    python benchmarks/official.py PATH --layers 2
    python benchmarks/official.py PATH --dtype bfloat16 --out FILE.json

PATH is a checkout of github.com/OpenMOSS/MOSS-Audio-Tokenizer. `--layers` shortens every stage, so
that it runs on small machines; without it the model has its 1.77 billion parameters (7 GB, which
both share). See README.md for the columns.
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
from common import machine, table, write_json
from length import MIB, reset_peak, status

from catok import CausalAudioTokenizer
from catok.tokenizer.released import canonical_name, read_released_config

STEP = 0.08
COLUMNS = ("case", "official s", "catok s", "ratio", "prepacked s", "ratio")
MEMORY = ("official + MiB", "catok + MiB", "prepacked + MiB")
Call = Callable[[], Any]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--layers", type=int, help="per stage, at most")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--step-seconds", type=float, default=2.0, help="of audio in steps")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    torch.set_flush_denormal(True)  # random weights make small numbers, trained ones do not
    data = json.loads((options.path / "config.json").read_text())
    for stages in (data["encoder_kwargs"], data.get("decoder_kwargs") or []):
        for stage in stages:
            if options.layers and "num_layers" in stage:
                stage["num_layers"] = min(stage["num_layers"], options.layers)
    official = build_official(options.path, data).to(getattr(torch, options.dtype))
    ours = share_weights(official, data)
    parameters = sum(p.numel() for p in ours.parameters())
    audio = 0.1 * torch.randn(1, 1, round(options.seconds / STEP) * ours.frame_size)
    codes = ours.encode(audio).codes
    steps = round(options.step_seconds / STEP)
    given = audio[..., : steps * ours.frame_size], codes[..., :steps]
    lengths = {"whole": options.seconds, "steps": steps * STEP}
    rows: dict[str, dict[str, Any]] = {}
    calls = {"official": calls_of_official(official, audio, codes, given)}
    calls["catok"] = calls_of_ours(ours, audio, codes, given)
    for case in calls["catok"]:
        each = {who: calls[who][case] for who in calls}
        rows[case] = measured(each, lengths[case.split()[1]], options.repeat)
        print(json.dumps({"case": case, **rows[case]}), flush=True)
    equal = None
    if options.dtype == "float32":
        theirs = official.encode(audio).audio_codes.transpose(0, 1)
        equal = (theirs == codes).float().mean().item()
    del official, calls["official"]
    ours.prepack()
    for case, call in calls["catok"].items():
        length = lengths[case.split()[1]]
        rows[case] |= measured({"prepacked": call}, length, options.repeat)
        print(json.dumps({"case": case, **rows[case]}), flush=True)
    print(table([*COLUMNS, *MEMORY], [cells(case, row) for case, row in rows.items()]))
    facts = {"dtype": options.dtype, "layers": options.layers, "equal_codes": equal}
    facts["parameters"] = parameters
    facts |= {"seconds": options.seconds, "step_seconds": options.step_seconds}
    print(json.dumps(facts))
    write_json(options.out, {**facts, "machine": machine(options.threads), "cases": rows})


def cells(case: str, row: dict[str, Any]) -> list[Any]:
    """A row of the table."""
    times = {who: row[who] if isinstance(row[who], dict) else None for who in row}

    def ratio(who: str) -> Any:
        mine, theirs = times[who], times["official"]
        return mine["cpu"] / theirs["cpu"] if mine and theirs else "-"

    def field(who: str, name: str, unit: float = 1) -> Any:
        found = times[who]
        return found[name] / unit if found else "-"

    shown = [case, field("official", "cpu"), field("catok", "cpu"), ratio("catok")]
    shown += [field("prepacked", "cpu"), ratio("prepacked")]
    return shown + [field(who, "peak_bytes", MIB) for who in ("official", "catok", "prepacked")]


def measured(calls: dict[str, Call], seconds: float, repeat: int) -> dict[str, Any]:
    """The least processor time of each call per second of audio, taking turns, and its highest
    memory above the start; of one that fails the error's text.
    """
    found: dict[str, Any] = {}
    for _ in range(repeat):
        for who, call in calls.items():
            base = reset_peak()
            start = time.process_time()
            try:
                call()
            except Exception as error:  # of the official code, in half precision
                found[who] = f"{type(error).__name__}: {error}"[:100]
                continue
            cpu = (time.process_time() - start) / seconds
            old = found.get(who, {"cpu": cpu, "peak_bytes": 0})
            peak = max(old["peak_bytes"], status("VmHWM") - base)
            found[who] = {"cpu": min(old["cpu"], cpu), "peak_bytes": peak}
    return found


def calls_of_official(model: Any, audio: Any, codes: Any, given: Any) -> dict[str, Call]:
    """Its codes are `[K, B, F]`."""
    theirs, some = codes.transpose(0, 1), given[1].transpose(0, 1)
    return {
        "encode whole": lambda: model.encode(audio),
        "decode whole": lambda: model.decode(theirs),
        "encode steps": lambda: model.encode(given[0], chunk_duration=STEP),
        "decode steps": lambda: model.decode(some, chunk_duration=STEP),
    }


def calls_of_ours(model: CausalAudioTokenizer, audio: Any, codes: Any, given: Any) -> Any:
    """The same of this package; streams go on after the recording, past all windows, where a step
    of ours takes longest. One of the official code always takes as long.
    """
    _, encoder = model.encode_step(audio, model.encoder_state())
    _, decoder = model.decode_step(codes, model.decoder_state())

    def encode_steps() -> None:
        state = encoder
        for chunk in given[0].split(model.frame_size, dim=2):
            _, state = model.encode_step(chunk, state)

    def decode_steps() -> None:
        state = decoder
        for chunk in given[1].split(1, dim=2):
            _, state = model.decode_step(chunk, state)

    return {
        "encode whole": lambda: model.encode(audio),
        "decode whole": lambda: model.decode(codes),
        "encode steps": encode_steps,
        "decode steps": decode_steps,
    }


def share_weights(official: Any, data: dict[str, Any]) -> CausalAudioTokenizer:
    """This package's model with the very tensors of the official one; the quantizer float32."""
    with torch.device("meta"):
        ours = CausalAudioTokenizer(read_released_config(data))
    weights = {canonical_name(name): value for name, value in official.state_dict().items()}
    weights = {k: v.float() if k.startswith("quantizer") else v for k, v in weights.items()}
    ours.load_state_dict(weights, assign=True)
    return ours.eval().requires_grad_(False)


def build_official(path: Path, data: dict[str, Any]) -> Any:
    """The official model with random weights, written once."""
    package = "official_moss_audio_tokenizer"
    spec = importlib.util.spec_from_loader(package, loader=None, is_package=True)
    assert spec is not None
    parent = importlib.util.module_from_spec(spec)
    parent.__path__ = [str(path)]
    sys.modules[package] = parent
    configuration = imported(f"{package}.configuration_moss_audio_tokenizer")
    modeling = imported(f"{package}.modeling_moss_audio_tokenizer")
    known = {k: v for k, v in data.items() if k not in ("auto_map", "architectures", "model_type")}
    with torch.device("meta"):
        model = modeling.MossAudioTokenizerModel(configuration.MossAudioTokenizerConfig(**known))
    model = model.to_empty(device="cpu").requires_grad_(False)
    for name, weight in model.named_parameters():
        if weight.dim() > 1 and weight.shape[1] > 1:
            bound = (3 / weight[0].numel()) ** 0.5
            weight.uniform_(-bound, bound)
        else:
            value = 0.0 if name.endswith("bias") else 0.1 if name.endswith("scale") else 1.0
            weight.fill_(value)
    return model.eval()


def imported(name: str) -> ModuleType:
    """A module of the checkout."""
    return importlib.import_module(name)


if __name__ == "__main__":
    main()

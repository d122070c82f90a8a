"""Speed of the ONNX backend by dtype and threads, beside PyTorch's.

    python benchmarks/onnx_backend.py --preset nano --dtypes torch float32 int8 --out FILE.json
    python benchmarks/onnx_backend.py --preset 24khz --dtypes int8 --threads 2 --whole 0  # 8 GB

Every measurement has a process of its own. See README.md for the columns.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from common import add_model_options, load_model, machine, table, write_json

COLUMNS = {
    "dtype": "dtype",
    "threads": "threads",
    "size_mb": "MB",
    "encode_ms": "encode ms",
    "encode_best_ms": "best",
    "decode_ms": "decode ms",
    "decode_best_ms": "best",
    "cpu_ms": "CPU ms",
    "together_ms": "together ms",
    "whole_rtf": "whole RTF",
    "peak_mb": "peak MB",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_model_options(parser, preset="tiny")
    parser.add_argument(
        "--dtypes", nargs="+", default=["torch", "float32", "float16", "int8", "int4"]
    )
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--frames", type=int, default=150, help="steps of one frame")
    parser.add_argument("--whole", type=float, default=10.0, help="seconds; 0 leaves it out")
    parser.add_argument("--out")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(**json.loads(options.one))))
        return
    name = options.model or options.preset
    rows = []
    for dtype in options.dtypes:
        with tempfile.TemporaryDirectory() as folder:
            if dtype != "torch":
                run_apart(options, {"export": dtype, "folder": folder})
            for threads in options.threads:
                rows.append(run_apart(options, {"folder": folder, "threads": threads}, dtype))
                print([rows[-1][key] for key in COLUMNS], file=sys.stderr)
    print(table(list(COLUMNS.values()), [[row[key] for key in COLUMNS] for row in rows]))
    write_json(options.out, {"model": name, "machine": machine(options.threads), "rows": rows})


def run_apart(
    options: argparse.Namespace, task: dict[str, Any], dtype: str | None = None
) -> dict[str, Any]:
    """One export or measurement in a fresh process."""
    task |= {"name": options.model, "preset": options.preset}
    task |= {"frames": options.frames, "whole": options.whole, "dtype": dtype}
    command = [sys.executable, __file__, "--one", json.dumps(task)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {"dtype": dtype, **json.loads(result.stdout.splitlines()[-1])}


def measure(**task: Any) -> dict[str, Any]:
    """In a process of its own: an export, or the times of one backend."""
    if "export" in task:
        return export(task)
    import resource

    import torch

    from catok import CausalAudioTokenizer

    torch.set_num_threads(task["threads"])
    if task["dtype"] == "torch":
        tok: Any = load_model(task["name"], task["preset"])
    else:
        tok = CausalAudioTokenizer.from_pretrained(
            task["folder"], backend="onnx", threads=task["threads"]
        )
    result = {"threads": task["threads"], **steps(tok, task["frames"])}
    result["whole_rtf"] = whole(tok, task["whole"]) if task["whole"] else None
    files = Path(task["folder"]).glob("*_step.onnx"), Path(task["folder"]).glob("*.weights")
    result["size_mb"] = sum(file.stat().st_size for each in files for file in each) / 1e6
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return result


def export(task: dict[str, Any]) -> dict[str, Any]:
    """Write the graphs that are measured; of a preset, half by half."""
    import torch

    from catok import CausalAudioTokenizer, TokenizerConfig
    from catok.export import Plan, export_parts

    graphs = ["encode_step", "decode_step", *(("encode", "decode") if task["whole"] else ())]

    def half(part: Any) -> CausalAudioTokenizer:
        if task["name"]:
            return CausalAudioTokenizer.from_pretrained(task["name"], part=part)
        torch.manual_seed(0)
        return CausalAudioTokenizer(TokenizerConfig.preset(task["preset"]), part=part).eval()

    config = half("decoder").config if task["name"] else TokenizerConfig.preset(task["preset"])
    plan = Plan.default(config, task["export"], graphs)
    export_parts((half(part) for part in ("encoder", "decoder")), task["folder"], plan)
    return {}


def steps(tok: Any, frames: int) -> dict[str, Any]:
    """Sessions of one row, a frame at a time; the first third warms up."""
    import torch

    encoder, decoder = tok.stream_encoder(), tok.stream_decoder()
    generator = torch.Generator().manual_seed(0)
    encoding, decoding, processor = [], [], []
    for _ in range(frames):
        shape = (1, tok.channels, tok.frame_size)
        chunk = 0.1 * torch.randn(shape, generator=generator)
        cpu, start = time.process_time(), time.perf_counter()
        codes = encoder.push(chunk)
        between = time.perf_counter()
        decoder.push(codes)
        decoding.append(1e3 * (time.perf_counter() - between))
        encoding.append(1e3 * (between - start))
        processor.append(1e3 * (time.process_time() - cpu))
    first = frames // 3
    return {
        "together_ms": together(tok, frames),
        "encode_ms": median(encoding[first:]),
        "encode_best_ms": min(encoding[first:]),
        "decode_ms": median(decoding[first:]),
        "decode_best_ms": min(decoding[first:]),
        "cpu_ms": median(processor[first:]),
    }


def together(tok: Any, frames: int) -> float:
    """Milliseconds for a frame where one thread encodes a stream and another decodes one."""
    import torch

    encoder, decoder = tok.stream_encoder(), tok.stream_decoder()
    chunk = 0.1 * torch.randn(1, tok.channels, tok.frame_size)
    codes = torch.randint(tok.codebook_size, (1, tok.num_quantizers, 1))

    def repeat(push: Any, value: Any) -> float:
        start = time.perf_counter()
        for _ in range(frames):
            push(value)
        return time.perf_counter() - start

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(repeat, encoder.push, chunk), pool.submit(repeat, decoder.push, codes)]
        return 1e3 * max(job.result() for job in jobs) / frames


def whole(tok: Any, seconds: float) -> float:
    """Real-time factor of encode and decode together, the best of three."""
    import torch

    shape = (1, tok.channels, int(seconds * tok.sample_rate))
    audio = 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        tok.decode(tok.encode(audio))
        times.append(time.perf_counter() - start)
    return min(times) / seconds


if __name__ == "__main__":
    main()

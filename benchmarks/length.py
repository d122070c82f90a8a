"""Time and memory of encode and decode against the length of the recording.

    python benchmarks/length.py                     # preset tiny, 10 s to 1 h, one thread
    python benchmarks/length.py --preset nano --seconds 10 60 300

Every measurement has a process of its own, so that no peak of memory hides another. Linux only.
See README.md for the columns.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from statistics import linear_regression
from typing import Any

from common import add_model_options, load_model, machine, table, write_json

MIB = 1 << 20
SHORT = 120  # seconds up to which a measurement is repeated
SIDES = ("encode", "decode")


def measure(side: str, seconds: float, model_name: str | None, preset: str | None, threads: int):
    """One encode or decode in this process; the last, partial frame is half full."""
    import torch

    from catok import Encoded

    torch.set_num_threads(threads)
    model = load_model(model_name, preset)
    generator = torch.Generator().manual_seed(0)
    samples = round(seconds * model.sample_rate) - model.frame_size // 2
    frames = -(-samples // model.frame_size)
    audio = torch.empty(1, model.channels, samples if side == "encode" else model.frame_size * 12)
    audio.uniform_(-0.1, 0.1, generator=generator)
    source, run = audio, model.encode
    # The first call pays for threads and kernels: let a second of audio do that.
    warm_up = model.encode(audio[..., : model.frame_size * 12])
    model.decode(warm_up)
    if side == "decode":
        shape = (1, model.num_quantizers, frames)
        source, run = (
            Encoded(
                codes=torch.randint(model.codebook_size, shape, generator=generator),
                sample_lengths=torch.tensor([samples]),
                sample_rate=model.sample_rate,
                channels=model.channels,
                frame_size=model.frame_size,
                codebook_size=model.codebook_size,
            ),
            model.decode,
        )
    base = reset_peak()
    start, cpu_start = time.perf_counter(), time.process_time()
    result = run(source)  # type: ignore[operator]
    elapsed, cpu_elapsed = time.perf_counter() - start, time.process_time() - cpu_start
    peak = status("VmHWM") - base
    given, made = (x.codes if isinstance(x, Encoded) else x for x in (source, result))
    return {
        "seconds": seconds,
        "time": elapsed,
        "cpu_time": cpu_elapsed,
        "input_bytes": given.nbytes,
        "output_bytes": made.nbytes,
        "peak_bytes": peak,
        "base_bytes": base,
    }


def reset_peak() -> int:
    """Forget the peak of memory so far; the bytes resident now."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return status("VmRSS")


def status(key: str) -> int:
    """Bytes from /proc/self/status: VmRSS now, VmHWM at the peak (ru_maxrss, but it resets)."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key)) * 1024


def in_subprocess(options: argparse.Namespace, side: str, seconds: float) -> dict[str, Any]:
    command = [sys.executable, __file__, "--worker", side, "--seconds", str(seconds)]
    command += ["--threads", str(options.threads)]
    command += ["--model", options.model] if options.model else ["--preset", options.preset]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def best_of(options: argparse.Namespace, side: str, seconds: float) -> dict[str, Any]:
    """The fastest of `repeat` runs, with the highest peak of memory of them all."""
    repeat = options.repeat if seconds <= SHORT else 1
    runs = [in_subprocess(options, side, seconds) for _ in range(repeat)]
    result = min(runs, key=lambda run: run["time"])
    result["cpu_time"] = min(run["cpu_time"] for run in runs)
    result["peak_bytes"] = max(run["peak_bytes"] for run in runs)
    result["working_set_bytes"] = max(0, result["peak_bytes"] - result["output_bytes"])
    result["real_time_factor"] = result["time"] / seconds
    result["times"] = [run["time"] for run in runs]
    return result


def exponent(rows: list[dict[str, Any]], key: str) -> float | None:
    """Slope of log(key) on log(seconds); None with fewer than two lengths.

    Memory below one MiB counts as one MiB: less cannot be measured.
    """
    if len(rows) < 2:
        return None
    least = MIB if key.endswith("bytes") else 1e-9
    points = [(math.log(row["seconds"]), math.log(max(row[key], least))) for row in rows]
    return linear_regression(*zip(*points, strict=True)).slope


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_model_options(parser, preset="tiny")
    parser.add_argument("--seconds", type=float, nargs="+", default=[10, 30, 60, 120, 300, 3600])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3, help=f"runs of lengths up to {SHORT} s")
    parser.add_argument("--out", help="JSON file (default: benchmarks/results/length-MODEL.json)")
    parser.add_argument("--worker", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        length = options.seconds[0]
        args = options.model, options.preset, options.threads
        print(json.dumps(measure(options.worker, length, *args)))
        return

    result: dict[str, Any] = {"model": options.model or f"{options.preset} (random weights)"}
    result["machine"] = machine(options.threads)
    print(f"{result['model']}, {options.threads} thread(s), {result['machine']['processor']}")
    header = ["seconds", "time s", "CPU s", "RTF", "input MiB", "output MiB", "peak MiB"]
    header.append("working set MiB")
    memory = ("input_bytes", "output_bytes", "peak_bytes", "working_set_bytes")
    for side in SIDES:
        rows = [best_of(options, side, seconds) for seconds in sorted(options.seconds)]
        keys = {"time": "time", "cpu_time": "cpu_time"}
        keys |= {"peak_memory": "peak_bytes", "working_set": "working_set_bytes"}
        fits = {name: exponent(rows, key) for name, key in keys.items()}
        last = {name: exponent(rows[-2:], key) for name, key in keys.items()}
        result[side] = {"rows": rows, "exponents": fits, "exponents_of_the_two_longest": last}
        cells = [
            [f"{row['seconds']:g}", row["time"], row["cpu_time"], row["real_time_factor"]]
            + [row[key] / MIB for key in memory]
            for row in rows
        ]
        print(f"\n## {side}\n\n{table(header, cells)}\n")
        for name, values in (("all lengths", fits), ("the two longest", last)):
            shown = ", ".join(f"{k} {v:.2f}" for k, v in values.items() if v is not None)
            print(f"growth exponents over {name}: {shown}", flush=True)
    name = (options.model or options.preset).rstrip("/").split("/")[-1]
    write_json(options.out or f"benchmarks/results/length-{name}.json", result)


if __name__ == "__main__":
    main()

"""A corpus into shards: speed, padding and memory of `catok.corpus.tokenize` against other ways.

    python benchmarks/tokenize_corpus.py --preset tiny
    python benchmarks/tokenize_corpus.py --preset nano --recordings 50 --longest 30

Recordings are noise of log-normal lengths. Every measurement has a process of its own and is
written to the JSON file at once: run again, the script goes on where it was stopped. The codes of
all ways are compared with those of each recording alone. See README.md for the columns. Linux only.
Not called tokenize.py, which would hide Python's own module of that name.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common import add_model_options, load_model, machine, table, write_json

MEDIAN, SPREAD = 4.0, 1.0  # of the lengths: seconds, and standard deviation of their logarithm
WAYS = ("alone", "packed", "batches", "sorted")


def make_corpus(folder: Path, count: int, longest: float, rate: int, channels: int) -> float:
    """Write recordings of 16 bits that are not there yet; returns the seconds of all."""
    import numpy as np
    import soundfile

    draw = np.random.default_rng(0)
    lengths = np.minimum(MEDIAN * np.exp(SPREAD * draw.standard_normal(count)), longest)
    lengths[count // 2] = longest
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "whole").exists():
        for number, seconds in enumerate(lengths):
            audio = 0.1 * draw.standard_normal((int(seconds * rate), channels))
            soundfile.write(folder / f"{number:05d}.wav", audio.clip(-1, 1), rate)
        (folder / "whole").touch()
    return float(lengths.sum())


def run_packed(model: Any, files: list[Path], out: Path, options: dict[str, Any]) -> float:
    """Rows of a stream, as the tool does it; returns the share of padding."""
    from catok.corpus import TokenizeConfig, tokenize

    return tokenize(model, files, out, TokenizeConfig(**options, overwrite=True)).padding


def run_batches(model: Any, files: list[Path], out: Path, size: int) -> float:
    """`size` recordings at a time in the order given, all codes kept until the end."""
    import numpy as np
    import torch

    from catok import load_audio

    found, computed, used = {}, 0, 0
    for start in range(0, len(files), size):
        part = files[start : start + size]
        kind = {"sample_rate": model.sample_rate, "channels": model.channels}
        audio = [load_audio(file, **kind)[0] for file in part]
        lengths = torch.tensor([item.shape[1] for item in audio])
        batch = torch.zeros(len(part), model.channels, int(lengths.max()))
        for row, item in zip(batch, audio, strict=True):
            row[:, : item.shape[1]] = item
        encoded = model.encode(batch, lengths)
        computed += encoded.codes.shape[0] * encoded.codes.shape[2]
        for file, codes, frames in zip(part, encoded.codes, encoded.frame_lengths, strict=True):
            found[file.stem] = codes[:, :frames].T.numpy().astype(np.uint16)
            used += int(frames)
    np.savez(out, **found)
    return 1 - used / computed


def measure(
    way: str, folder: Path, model_options: tuple[Any, Any], options: dict[str, Any]
) -> None:
    """One way in this process; prints its figures as JSON."""
    import shutil

    import torch

    torch.set_num_threads(1)
    model = load_model(*model_options)
    files = sorted(folder.glob("*.wav"))
    model.encode(torch.zeros(1, model.channels, model.sample_rate))
    out = folder / f"out-{way}"
    shutil.rmtree(out, ignore_errors=True)
    base = _peak(reset=True)
    load = [os.getloadavg()[0]]
    start, cpu = time.perf_counter(), time.process_time()
    if way == "packed":
        padding = run_packed(model, files, out, options)
    else:
        order = sorted(files, key=lambda file: file.stat().st_size) if way == "sorted" else files
        size = 1 if way == "alone" else 8
        padding = run_batches(model, order, out.with_suffix(".npz"), size)
    figures = {
        "wall": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "padding": padding,
        "peak": (_peak() - base) / 1024,
        "load": max(*load, os.getloadavg()[0]),
    }
    print(json.dumps(figures))


def _peak(reset: bool = False) -> int:
    """The most memory that was resident since the last reset, in KiB."""
    if reset:  # what getrusage says would begin with that of the process that started this one
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def differing(folder: Path, way: str) -> float:
    """Share of codes that differ from those of each recording alone."""
    import numpy as np

    from catok.corpus import TokenDataset

    alone = np.load(folder / "out-alone.npz")
    if way == "packed":
        found = {row["id"]: row["codes"].numpy().T for row in TokenDataset(folder / "out-packed")}
    else:
        found = np.load(folder / f"out-{way}.npz")
    assert set(found) == set(alone)
    wrong = sum(int((found[name] != alone[name]).sum()) for name in alone)
    return wrong / sum(alone[name].size for name in alone)


def _is_there(folder: Path, way: str) -> bool:
    """What was measured is of use as long as the codes of all ways can be compared."""
    return way != "alone" or (folder / "out-alone.npz").exists()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_model_options(parser, preset="tiny")
    parser.add_argument("--recordings", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--longest", type=float, default=1200.0, help="seconds")
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=WAYS, help="besides alone")
    parser.add_argument("--rows", type=int, help="instead of the tool's choice")
    parser.add_argument("--frames", type=int, help="instead of the tool's choice")
    parser.add_argument("--work", default="/tmp/catok-benchmark", help="folder of the recordings")
    parser.add_argument("--out", help="JSON file")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    options = {"rows": arguments.rows, "frames": arguments.frames}
    chosen = arguments.model, arguments.preset
    if arguments.way:
        measure(arguments.way, arguments.folder, chosen, options)
        return
    model = load_model(*chosen)
    name = Path(arguments.model or arguments.preset).name
    out = Path(arguments.out or Path(__file__).parent / "results" / f"tokenize-{name}.json")
    settings = {"longest": arguments.longest, "median": MEDIAN, "spread": SPREAD, **options}
    result = json.loads(out.read_text()) if out.exists() else {}
    if result.get("settings") != settings:
        result = {"model": name, "settings": settings, "rows": []}
    rows = result["rows"]
    for count in arguments.recordings:
        folder = Path(arguments.work, f"{name}-{count}-{arguments.longest:g}")
        seconds = make_corpus(folder, count, arguments.longest, model.sample_rate, model.channels)
        for way in WAYS:
            here = {"way": way, "recordings": count, "hours": seconds / 3600}
            rows[:] = [r for r in rows if not here.items() <= r.items() or _is_there(folder, way)]
            done = any(here.items() <= row.items() for row in rows)
            if done or way not in (*arguments.ways, "alone"):
                continue
            command = [sys.executable, __file__, *sys.argv[1:], "--way", way, "--folder", folder]
            ran = subprocess.run(command, check=True, capture_output=True, text=True)
            row = here | json.loads(ran.stdout.splitlines()[-1])
            row["hours per hour"] = seconds / row["wall"]
            row["hours per CPU hour"] = seconds / row["cpu"]
            row["codes that differ"] = differing(folder, way)
            rows.append(row)
            write_json(str(out), result | {"machine": machine(1)})
    columns = list(rows[0])
    print(table(columns, [[row[column] for column in columns] for row in rows]))


if __name__ == "__main__":
    main()

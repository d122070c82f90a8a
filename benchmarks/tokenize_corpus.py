"""A corpus into shards: speed, padding and memory of `catok.corpus.tokenize` against other ways.

    python benchmarks/tokenize_corpus.py --preset tiny --recordings 200 2000
    python benchmarks/tokenize_corpus.py --preset nano --recordings 20 --longest 60

Recordings are noise of log-normal lengths. Every measurement has a process of its own. The codes of
all ways are compared with those of each recording alone. See README.md for the columns. Linux only.
Not called tokenize.py, which would hide Python's own module of that name.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import add_model_options, load_model, machine, table, write_json

MEDIAN, SPREAD = 4.0, 1.0  # of the lengths: seconds, and standard deviation of their logarithm
WAYS = ("packed", "alone", "batches")


def make_corpus(folder: Path, count: int, longest: float, rate: int, channels: int) -> float:
    """Write recordings of 16 bits; returns their seconds."""
    import numpy as np
    import soundfile

    draw = np.random.default_rng(0)
    lengths = np.minimum(MEDIAN * np.exp(SPREAD * draw.standard_normal(count)), longest)
    lengths[count // 2] = longest
    for number, seconds in enumerate(lengths):
        audio = 0.1 * draw.standard_normal((int(seconds * rate), channels))
        soundfile.write(folder / f"{number:05d}.wav", audio.clip(-1, 1), rate)
    return float(lengths.sum())


def run_packed(model: Any, files: list[Path], out: Path, options: dict[str, Any]) -> float:
    """Rows of a stream, as the tool does it; returns the share of padding."""
    from catok.corpus import TokenizeConfig, tokenize

    return tokenize(model, files, out, TokenizeConfig(**options)).padding


def run_batches(model: Any, files: list[Path], out: Path, size: int) -> float:
    """`size` recordings at a time in their order, all codes kept until the end."""
    import numpy as np
    import torch

    from catok import load_audio

    found, computed, used = {}, 0, 0
    for start in range(0, len(files), size):
        part = files[start : start + size]
        audio = [load_audio(file, sample_rate=model.sample_rate)[0] for file in part]
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


def measure(way: str, folder: str, model_options: tuple[Any, Any], options: dict[str, Any]) -> None:
    """One way in this process; prints its figures as JSON."""
    import resource

    import torch

    torch.set_num_threads(1)
    model = load_model(*model_options)
    files = sorted(Path(folder).glob("*.wav"))
    model.encode(torch.zeros(1, model.channels, model.sample_rate))
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out = Path(folder, f"out-{way}")
    start, cpu = time.perf_counter(), time.process_time()
    if way == "packed":
        padding = run_packed(model, files, out, options)
    else:
        padding = run_batches(model, files, out.with_suffix(".npz"), 8 if way == "batches" else 1)
    figures = {
        "wall": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "padding": padding,
        "peak": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) / 1024,
    }
    print(json.dumps(figures))


def differing(folder: Path) -> dict[str, float]:
    """Shares of codes that differ from those of each recording alone."""
    import numpy as np

    from catok.corpus import TokenDataset

    alone = np.load(folder / "out-alone.npz")
    batches = np.load(folder / "out-batches.npz")
    wrong, total = {"packed": 0, "batches": 0}, 0
    for row in TokenDataset(folder / "out-packed"):
        expected = alone[row["id"]]
        total += expected.size
        wrong["packed"] += int((expected != row["codes"].numpy().T).sum())
        wrong["batches"] += int((batches[row["id"]] != expected).sum())
    return {way: count / total for way, count in wrong.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_model_options(parser, preset="tiny")
    parser.add_argument("--recordings", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--longest", type=float, default=1200.0, help="seconds")
    parser.add_argument("--rows", type=int, help="instead of the tool's choice")
    parser.add_argument("--frames", type=int, help="instead of the tool's choice")
    parser.add_argument("--out", help="JSON file")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    options = {"rows": arguments.rows, "frames": arguments.frames}
    if arguments.way:
        chosen = arguments.model, arguments.preset
        measure(arguments.way, arguments.folder, chosen, options)
        return
    model = load_model(arguments.model, arguments.preset)
    rows: list[dict[str, Any]] = []
    for count in arguments.recordings:
        with tempfile.TemporaryDirectory() as place:
            seconds = make_corpus(
                Path(place), count, arguments.longest, model.sample_rate, model.channels
            )
            found = []
            for way in WAYS:
                command = [sys.executable, __file__, *sys.argv[1:], "--way", way, "--folder", place]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                figures = json.loads(done.stdout.splitlines()[-1])
                found.append({"way": way, "recordings": count, "hours": seconds / 3600, **figures})
            shares = differing(Path(place))
            for row in found:
                row["hours per hour"] = seconds / row["wall"]
                row["hours per CPU hour"] = seconds / row["cpu"]
                row["codes that differ"] = shares.get(row["way"], 0.0)
            rows += found
    name = arguments.model or arguments.preset
    columns = list(rows[0])
    print(table(columns, [[row[column] for column in columns] for row in rows]))
    out = arguments.out or Path(__file__).parent / "results" / f"tokenize-{Path(name).name}.json"
    settings = {"longest": arguments.longest, "median": MEDIAN, "spread": SPREAD, **options}
    write_json(out, {"model": name, "settings": settings, "rows": rows, "machine": machine(1)})


if __name__ == "__main__":
    main()

"""A million hours on a cluster: stragglers and lost nodes simulated, arithmetic counted.

    python benchmarks/tokenize_cluster.py
    python benchmarks/tokenize_cluster.py --hours 20000 --nodes 2 --speed 400

Three tables. `operations`: floating-point operations of encoders per second of audio, counted by
PyTorch. `ends of shards`: frames that a GPU's rows compute for nothing when they are emptied after
every shard, and when they go on to the next. `cluster`: when a job ends with fixed parts
(`--shard i/n`) and with shards on demand (`--ray`), on machines that are equal, differ or are lost,
in units of the time that it takes where none waits for another.
Only `--speed`, hours of audio per GPU-hour, has to be measured: `catok tokenize` says it.
"""

import argparse
import heapq
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from common import load_model, machine, table, write_json

MEDIAN, SPREAD = 4.0, 1.0  # of recordings, as in tokenize_corpus.py: seconds, and of logarithms
GPUS = 8  # to a node
NOTICE = 1 / 60  # hours until a lost shard is given to others


def operations(preset: str, seconds: int = 10) -> dict[str, Any]:
    """What encoding costs, by the preset with random weights."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model = load_model(None, preset)
    parameters = sum(item.numel() for item in model.encoder.parameters())
    counter = FlopCounterMode(display=False)
    with counter:
        model.encode(torch.zeros(1, model.channels, seconds * model.sample_rate))
    return {
        "preset": preset,
        "encoder parameters, M": parameters / 1e6,
        "GFLOP per second of audio": counter.get_total_flops() / seconds / 1e9,
    }


def rows_at_work(rows: int, frames: int, shard_size: int, shards: int = 20) -> dict[str, Any]:
    """Share of frames computed for nothing: rows emptied after every shard, and kept filled."""
    draw = np.random.default_rng(0)
    lengths = MEDIAN * np.exp(SPREAD * draw.standard_normal((shards, shard_size)))
    steps = np.ceil(np.minimum(lengths, 1200) * 12.5 / frames).astype(int)
    used = float(np.ceil(np.minimum(lengths, 1200) * 12.5).sum())

    def computed(pieces: np.ndarray) -> int:
        ends = [0] * rows
        for piece in pieces:
            heapq.heappush(ends, heapq.heappop(ends) + int(piece))
        return max(ends) * rows * frames

    alone = sum(computed(shard) for shard in steps)
    return {
        "rows": rows,
        "frames": frames,
        "recordings to a shard": shard_size,
        "shard by shard": 1 - used / alone,
        "kept filled": 1 - used / computed(steps.reshape(-1)),
    }


def run_job(
    shards: int, shard: float, speeds: np.ndarray, lost: list[list[float]], away: float, fixed: bool
) -> tuple[float, float]:
    """Hours until the last shard is written, and hours of GPUs on shards that were lost.

    `shard`: hours of audio. `speeds` `[gpus]`: audio-hours per hour. `lost`: when each node goes,
    for `away` hours. `fixed`: every GPU has a part of its own.
    """
    parts = [deque(range(gpu, shards, len(speeds))) for gpu in range(len(speeds))]
    common, returned = deque(range(shards)), []
    free = [(0.0, gpu) for gpu in range(len(speeds))]
    end, wasted = 0.0, 0.0
    while free:
        now, gpu = heapq.heappop(free)
        queue = parts[gpu] if fixed else common
        if queue:
            index = queue.popleft()
        elif returned:
            since, index = heapq.heappop(returned)
            now = max(now, since)
        else:
            continue
        for begin in lost[gpu // GPUS]:
            if begin <= now < begin + away:
                now = begin + away
        done = now + shard / speeds[gpu]
        gone = next((begin for begin in lost[gpu // GPUS] if now < begin < done), None)
        if gone is None:
            end = max(end, done)
            heapq.heappush(free, (done, gpu))
            continue
        wasted += gone - now
        if fixed:
            queue.appendleft(index)
        else:
            heapq.heappush(returned, (gone + NOTICE, index))
        heapq.heappush(free, (gone + away, gpu))
    return end, wasted


def cluster(arguments: argparse.Namespace, name: str, **kind: float) -> dict[str, Any]:
    """A job of fixed parts and one of shards on demand, on the same machines: means of draws."""
    gpus = arguments.nodes * GPUS
    count = round(arguments.hours / arguments.shard)
    found: dict[str, list[float]] = {key: [] for key in ("fixed", "demand", "lost", "nodes")}
    for seed in range(arguments.draws):
        draw = np.random.default_rng(seed)
        speeds = arguments.speed * np.exp(kind.get("spread", 0) * draw.standard_normal(gpus))
        speeds[draw.permutation(gpus)[: round(kind.get("slow", 0) * gpus)]] /= 2
        ideal = arguments.hours / speeds.sum()
        lost: list[list[float]] = [[] for _ in range(arguments.nodes)]
        if kind.get("between"):
            for times in lost:
                gaps = draw.exponential(kind["between"], size=1 + int(20 * ideal / kind["between"]))
                times += (gaps.cumsum() + arguments.away * np.arange(len(gaps))).tolist()
        for way in ("fixed", "demand"):
            end, wasted = run_job(
                count, arguments.shard, speeds, lost, arguments.away, way == "fixed"
            )
            found[way].append(end / ideal)
        found["lost"].append(wasted / (gpus * ideal))
        found["nodes"].append(sum(begin < end for times in lost for begin in times))
    return {
        "machines": name,
        "nodes lost": float(np.mean(found["nodes"])),
        "fixed parts": float(np.mean(found["fixed"])),
        "on demand": float(np.mean(found["demand"])),
        "work lost": float(np.mean(found["lost"])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=1e6, help="of audio")
    parser.add_argument("--shard", type=float, default=22.0, help="hours of audio in a shard")
    parser.add_argument("--nodes", type=int, default=8, help=f"of {GPUS} GPUs each")
    parser.add_argument("--speed", type=float, default=1000.0, help="audio-hours per GPU-hour")
    parser.add_argument("--away", type=float, default=0.5, help="hours until a lost node is back")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--presets", nargs="*", default=["tiny", "nano", "24khz", "v2"])
    parser.add_argument(
        "--out", default=str(Path(__file__).parent / "results/tokenize-cluster.json")
    )
    arguments = parser.parse_args()
    result = {
        "operations": [operations(preset) for preset in arguments.presets],
        "ends of shards": [rows_at_work(64, 25, size) for size in (100, 1000, 10_000)],
        "cluster": [
            cluster(arguments, "equal"),
            cluster(arguments, "speeds differ by 10 %", spread=0.1),
            cluster(arguments, "and 5 % run at half speed", spread=0.1, slow=0.05),
            cluster(
                arguments, "and every node is lost once a day", spread=0.1, slow=0.05, between=24
            ),
            cluster(
                arguments, "and every node is lost every 2 h", spread=0.1, slow=0.05, between=2
            ),
        ],
    }
    for name, rows in result.items():
        if rows:
            print(f"\n{name}\n\n{table(list(rows[0]), [list(row.values()) for row in rows])}")
    settings = {
        key: value for key, value in vars(arguments).items() if key not in ("out", "presets")
    }
    write_json(arguments.out, {"settings": settings, **result, "machine": machine(1)})


if __name__ == "__main__":
    main()

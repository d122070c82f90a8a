"""Alone or in a padded batch: equal codes, equal audio, and the throughput.

    python benchmarks/batching.py --preset tiny
    python benchmarks/batching.py --model DIR --audio speech.wav --threads 1 4

See README.md for the columns.
"""

import argparse
import time
from typing import Any

import torch
from common import (
    TIE,
    add_model_options,
    compare_codes,
    load_model,
    load_recording,
    machine,
    table,
    write_json,
)
from torch import Tensor

from catok import CausalAudioTokenizer, Encoded


def make_rows(
    model: CausalAudioTokenizer, count: int, seconds: float, audio: str | None
) -> list[Tensor]:
    """`count` signals `[C, T]`, from half of `seconds` to all of it, or parts of one recording."""
    generator = torch.Generator().manual_seed(0)
    if audio:
        whole = load_recording(audio, model)
    else:
        samples = round(2 * seconds * model.sample_rate)
        whole = 0.1 * torch.randn(model.channels, samples, generator=generator)
    longest = min(round(seconds * model.sample_rate), whole.shape[1])
    lengths = torch.randint(longest // 2, longest + 1, (count,), generator=generator).tolist()
    starts = [
        int(torch.randint(whole.shape[1] - n + 1, (1,), generator=generator)) for n in lengths
    ]
    return [whole[:, start : start + n] for start, n in zip(starts, lengths, strict=True)]


def padded(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    """`[B, C, T]` and lengths `[B]`."""
    lengths = torch.tensor([row.shape[1] for row in rows])
    batch = torch.zeros(len(rows), rows[0].shape[0], int(lengths.max()))
    for place, row in zip(batch, rows, strict=True):
        place[:, : row.shape[1]] = row
    return batch, lengths


def one_batch_size(
    model: CausalAudioTokenizer, rows: list[Tensor], size: int, repeat: int
) -> dict[str, Any]:
    """All rows in batches of `size`, compared with each row alone."""
    result: dict[str, Any] = {"batch_size": size, "threads": torch.get_num_threads()}
    result |= {"codes": 0, "different": 0, "frames": 0, "ties": 0, "widest_margin": 0.0}
    result["audio_max_difference"] = 0.0
    encode_time = decode_time = 0.0
    for start in range(0, len(rows), size):
        group = rows[start : start + size]
        alone = [model.encode(row[None]) for row in group]
        batch, lengths = padded(group)
        together, seconds = timed(lambda b=batch, n=lengths: model.encode(b, n), repeat)
        encode_time += seconds
        stacked = Encoded.stack(alone)  # decode the very codes that the rows have alone
        decoded, seconds = timed(lambda s=stacked: model.decode(s), repeat)
        decode_time += seconds
        for row, one, other, sound in zip(group, alone, together.rows(), decoded, strict=True):
            counts = compare_codes(model, row, one.codes[0], other.codes[0])
            for key in ("codes", "different", "frames", "ties"):
                result[key] += counts[key]
            result["widest_margin"] = max(result["widest_margin"], counts["widest_margin"])
            difference = float((model.decode(one)[0] - sound[:, : row.shape[1]]).abs().max())
            result["audio_max_difference"] = max(result["audio_max_difference"], difference)
    seconds = sum(row.shape[1] for row in rows) / model.sample_rate
    result["encode_throughput"] = seconds / encode_time
    result["decode_throughput"] = seconds / decode_time
    return result


def timed(run, repeat: int) -> tuple[Any, float]:
    """What `run` returns, and its best time."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return result, min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_model_options(parser)
    parser.add_argument("--audio", help="a recording to cut rows from; default: seeded noise")
    parser.add_argument("--seconds", type=float, default=8, help="length of the longest row")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()

    model = load_model(options.model, options.preset)
    rows = make_rows(model, options.rows, options.seconds, options.audio)
    results = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        model.decode(model.encode(rows[0][None]))  # the first call is slower
        results += [one_batch_size(model, rows, size, options.repeat) for size in options.sizes]
    name = options.model or f"{options.preset} (random weights)"
    total = sum(row.shape[1] for row in rows) / model.sample_rate
    print(f"{name}; {options.audio or 'noise'}: {len(rows)} rows, {total:.1f} s in all\n")
    keys = ["batch_size", "threads", "codes", "different", "frames", "ties"]
    header = ["batch", "threads", "codes", "different", "frames with one", "of these ties"]
    header += ["widest margin", "audio difference", "encode x", "decode x"]
    cells = []
    for result in results:
        margin = f"{result['widest_margin']:.1e}" if result["frames"] else "-"
        cells.append([result[key] for key in keys])
        cells[-1] += [margin, f"{result['audio_max_difference']:.1e}"]
        cells[-1] += [result["encode_throughput"], result["decode_throughput"]]
    print(table(header, cells))
    setting = {"model": name, "audio": options.audio, "rows": len(rows), "seconds": total}
    setting |= {"tie_margin": TIE, "machine": machine(options.threads)}
    write_json(options.out, {**setting, "batches": results})


if __name__ == "__main__":
    main()

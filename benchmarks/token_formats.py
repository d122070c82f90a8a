"""Bytes per hour of every format of token shards, and how fast `TokenDataset` reads them.

    python benchmarks/token_formats.py

Codes are random, which no compression makes smaller: those of speech are smaller in "parquet".
"""

import argparse
import tempfile
import time
from pathlib import Path

from common import machine, table, write_json


def main() -> None:
    import numpy as np
    import torch

    from catok.corpus import CodeSpace, TokenDataset, TokenRow, convert, token_stats
    from catok.corpus.formats import FORMATS
    from catok.corpus.ledger import Settings, ShardEntry, TokenFolder

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recordings", type=int, default=400)
    parser.add_argument("--codebooks", type=int, default=32)
    parser.add_argument("--read", type=int, nargs="+", default=[32, 8], help="codebooks")
    parser.add_argument("--out", default=str(Path(__file__).parent / "results/token-formats.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    space = CodeSpace(
        "random", "0" * 16, "float32", arguments.codebooks, 1024, 24_000, 1, 1920, "0"
    )
    draw = np.random.default_rng(0)
    rows = []
    for number in range(arguments.recordings):
        shape = int(draw.integers(25, 375)), arguments.codebooks
        codes = draw.integers(0, 1024, shape, dtype=np.uint16)
        facts = {"text": "A sentence of usual length, as texts are.", "speaker": "s"}
        rows.append(TokenRow(f"{number:06d}", codes, shape[0] * 1920, facts))
    results = []
    with tempfile.TemporaryDirectory() as place:
        first = TokenFolder.create(Path(place, "memmap"), Settings(space, "memmap", 1000))
        frames = sum(row.frames for row in rows)
        names = tuple((row.id, "") for row in rows)
        first.write(0, rows, ShardEntry(names, len(rows), frames * 1920, frames))
        for form in FORMATS:
            folder = Path(place, form)
            if form != "memmap":
                convert(Path(place, "memmap"), folder, form)
            stats = token_stats(folder)
            result = {"format": form, "MB per hour": stats.bytes_per_hour / 1e6}
            for count in arguments.read:
                start = time.process_time()
                for _ in TokenDataset(folder, count):
                    pass
                speed = stats.hours / ((time.process_time() - start) / 3600)
                result[f"hours per CPU hour, K = {count}"] = speed
            results.append(result)
    columns = list(results[0])
    print(table(columns, [[row[column] for column in columns] for row in results]))
    write_json(arguments.out, {"rows": results, "machine": machine(1)})


if __name__ == "__main__":
    main()

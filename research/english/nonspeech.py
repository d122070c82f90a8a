"""Music and effects in which nobody speaks: what `tiny-asr` learns to write nothing for.

    python -m research.english.nonspeech --data data/tiny/train.jsonl --out nonspeech.jsonl

Writes a manifest of excerpts, each with the text "" (`catok train-lm ... --set
data.empty_text=true`): all music, and effects of corpora that hold no shouts.
"""

import argparse
import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

EFFECTS = ("hydrogen-drumkits", "ufoai-sound")  # in the others somebody shouts
SECONDS = (1.0, 6.0)  # of an excerpt


def excerpts(rows: Sequence[dict[str, Any]], count: int, seed: int) -> list[dict[str, Any]]:
    """So many excerpts, half of them of music, each of a recording drawn by the seed."""
    draw = random.Random(seed)
    music = [row for row in rows if row["domain"] == "music"]
    effects = [row for row in rows if row["domain"] == "sound" and row["corpus"] in EFFECTS]
    cut = []
    for number in range(count):
        row = draw.choice(effects if number % 2 else music)
        seconds = min(row["duration"], draw.uniform(*SECONDS))
        offset = draw.uniform(0, row["duration"] - seconds)
        cut.append(row | {"offset": round(offset, 3), "duration": round(seconds, 3), "text": ""})
    return cut


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="manifest of recipes/tiny")
    parser.add_argument("--out", type=Path, required=True, help="the manifest to write")
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    rows = [json.loads(line) for line in args.data.read_text("utf-8").splitlines()]
    cut = excerpts(rows, args.count, args.seed)
    for row in cut:
        row["audio"] = os.path.relpath(args.data.parent / row["audio"], args.out.parent)
    args.out.write_text("".join(json.dumps(row) + "\n" for row in cut), "utf-8")
    print(f"{args.out}: {len(cut)} excerpts, {sum(r['duration'] for r in cut) / 60:.1f} minutes")


if __name__ == "__main__":
    main()

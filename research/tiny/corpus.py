"""Join manifests into one corpus that stays what it is while more audio is being fetched.

    python -m research.tiny.corpus --out CORPUS \
        --train data/tiny/train.jsonl data/voices/train.jsonl \
        --test data/tiny/heldout.jsonl data/tiny/test.jsonl data/voices/unheard.jsonl

Writes OUT/train.jsonl and OUT/test.jsonl with the paths of the audio relative to OUT. Files that
are missing are left out and counted.
"""

import argparse
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path


def joined(manifests: Iterable[Path], out: Path) -> tuple[list[str], Counter[str]]:
    """The lines of all manifests for a manifest in `out`, and minutes by corpus."""
    lines, minutes = [], Counter()
    for manifest in manifests:
        for line in manifest.read_text("utf-8").splitlines():
            row = json.loads(line)
            path = (manifest.parent / row["audio"]).resolve()
            if not path.is_file():
                minutes["(missing files)"] += 1
                continue
            row["audio"] = Path(os.path.relpath(path, out.resolve())).as_posix()
            minutes[row["corpus"]] += row["duration"] / 60
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return lines, minutes


def main(arguments: list[str] | None = None) -> None:
    """Write both manifests and say what they hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--train", type=Path, nargs="+", required=True)
    parser.add_argument("--test", type=Path, nargs="+", required=True)
    args = parser.parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in ("train", "test"):
        lines, minutes = joined(getattr(args, name), args.out)
        (args.out / f"{name}.jsonl").write_text("".join(lines), "utf-8")
        print(f"{name}: {len(lines)} recordings")
        for source, count in minutes.items():
            print(f"  {source:32}{count:8.1f} min")


if __name__ == "__main__":
    main()

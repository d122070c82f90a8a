"""What other codecs score on the recordings that judge the probes.

    python -m research.tiny.reference --data CORPUS \
        --out research/results/tiny-probes-others.jsonl \
        --systems original opus:6 codec2:3200,1200 tiny:4,1
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from research.tiny.scores import RATE, figures, read_clips
from torch import Tensor

from catok.evaluation.systems.registry import build_system
from catok.evaluation.transcribers.registry import build_transcriber


def main(arguments: Sequence[str] | None = None) -> None:
    """One line per setting of each system."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of test.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines")
    parser.add_argument(
        "--systems", nargs="+", required=True, help="as `catok evaluate` takes them"
    )
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    clips, transcriber = read_clips(args.data / "test.jsonl"), build_transcriber()
    lines = []
    for name in args.systems:
        system, outputs = build_system(name), {}
        for clip in clips:
            for output in system.run(clip.audio, RATE):
                found: list[Tensor] = outputs.setdefault(output.setting, [])
                found.append(output.audio.detach())
        for setting, audio in outputs.items():
            scores = figures(clips, audio, transcriber)
            lines.append(json.dumps({"system": system.name, "setting": setting} | scores) + "\n")
            print(lines[-1], end="", flush=True)
    args.out.write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    main()

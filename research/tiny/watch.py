"""The validation curve of a long run: scores the models that it leaves behind.

    catok train RECIPE --data CORPUS/train.jsonl --out RUN --set keep_every=5000
    python -m research.tiny.watch --run RUN --data CORPUS --out research/results/tiny-run.jsonl

Every RUN/model-STEP/ without a row yet is scored as the probes are, word errors included, and gets
one. `--delete` removes a scored model, so that a run of days does not fill the disk; the last one
stays. Run it now and then.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from research.tiny.scores import read_clips, score

from catok import CausalAudioTokenizer
from catok.evaluation.transcribers.registry import build_transcriber


def main(arguments: Sequence[str] | None = None) -> None:
    """Score what is new."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--data", type=Path, required=True, help="folder of test.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, one per model")
    parser.add_argument("--delete", action="store_true", help="remove models once scored")
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    known = set()
    if args.out.is_file():
        known = {json.loads(line)["step"] for line in args.out.read_text("utf-8").splitlines()}
    steps = sorted(int(p.name.removeprefix("model-")) for p in args.run.glob("model-[0-9]*"))
    clips, transcriber = read_clips(args.data / "test.jsonl"), build_transcriber()
    for step in steps:
        folder = args.run / f"model-{step}"
        if step not in known:
            tok = CausalAudioTokenizer.from_pretrained(folder)
            row = {"step": step, "scores": score(tok, clips, transcriber)}
            with args.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)
        if args.delete and step != steps[-1]:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()

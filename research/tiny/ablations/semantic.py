"""Text learned along with the codec, against the same head on the frozen codes of that codec.

    python -m research.tiny.ablations.semantic --start MODEL --listen 4000 --steps 1500 \
        --data data/tiny/train.jsonl --valid data/tiny/valid.jsonl --test data/tiny/test.jsonl \
        --out runs/semantic --threads 1

MODEL is a codec that was trained without text. With `--listen` a new head first learns to listen
to its codes, for so many steps (`../listen.py`); both runs begin with a copy of that head. "joint"
then trains codec and head together, "frozen" goes on with the head alone, on the codes of
MODEL as they are, on the same batches, for as many steps, at the same rates. Writes
OUT/semantic.json and OUT/semantic.md: nats per byte of unseen text by number of codebooks, and in
brackets the same with the codes of another recording: a head that does not listen has both alike.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from research.study import listed, markdown, measure, text_cells, train, write_json
from research.tiny.ablations.run import HERE
from research.tiny.listen import hear, teach

from catok import CausalAudioTokenizer
from catok.io.hub import find_folder
from catok.tokenizer.checkpoint import SEMANTIC
from catok.training import (
    CodecTrainConfig,
    SemanticHead,
    TrainStage,
    load_recipe,
    override_recipe,
    read_cuts,
)

LABELS = {
    "frozen": "head on the frozen codes of the codec without text",
    "joint": "head and codec trained together",
}
CODEC = ("encoder", "quantizer", "decoder")


def recipe(name: str, start: str, steps: int, overrides: list[str]) -> CodecTrainConfig:
    """One stage from the codec in `start`, everything learning or the head alone."""
    config = override_recipe(load_recipe(HERE / "full.toml"), overrides)
    freeze = CODEC if name == "frozen" else ()
    stage = TrainStage(steps, freeze=freeze)
    return replace(config, init_from=str(find_folder(start)), stages=(stage,))


def prepared(args: argparse.Namespace) -> str:
    """The codec that both runs begin with; after `--listen` with a head beside it."""
    folder = Path(args.out) / "start"
    if not args.listen:
        return args.start
    if not (folder / SEMANTIC).is_dir():
        tok = CausalAudioTokenizer.from_pretrained(args.start)
        config = recipe("frozen", args.start, 1, args.set)
        assert config.semantic is not None
        texts = [
            hear(tok, manifest, folder / f"{name}.tokens", config.data.max_seconds)
            for name, manifest in (("train", args.data), ("valid", args.valid))
        ]
        head = teach(tok, config.semantic, *texts, steps=args.listen, out=folder)
        tok.save_pretrained(folder)
        head.save_pretrained(folder / SEMANTIC)
    return str(folder)


def run(name: str, start: str, args: argparse.Namespace) -> dict[str, Any]:
    """Train and measure one, unless that was done before."""
    folder = Path(args.out) / name
    done = folder / "result.json"
    if done.is_file():
        return json.loads(done.read_text())
    config = recipe(name, start, args.steps, args.set)
    seconds = train(config, [(read_cuts(args.data), None)], folder)
    tok = CausalAudioTokenizer.from_pretrained(folder / "model")
    head = SemanticHead.from_pretrained(folder / "model" / "semantic")
    found = measure(tok, listed(args.test), count=args.count, head=head)
    result = {"name": name, "steps": args.steps, "seconds": seconds, **found}
    write_json(done, result)
    return result


def table(results: list[dict[str, Any]]) -> str:
    """One line per run."""
    depths = list(results[0]["text"])
    rows = [["nats per byte of text", *(f"{depth} codebooks" for depth in depths)]]
    for result in results:
        rows.append([LABELS[result["name"]], *text_cells(result["text"])])
    return markdown(rows)


def main(arguments: list[str] | None = None) -> None:
    """Train what is missing, measure, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--start", required=True, help="a codec trained without text")
    parser.add_argument("--steps", type=int, default=1500, help="of each run (%(default)s)")
    parser.add_argument("--listen", type=int, default=0, help="steps of the head alone (0: none)")
    parser.add_argument("--valid", help="manifest that chooses the best of them")
    parser.add_argument("--data", required=True, help="training data, as `catok train --data`")
    parser.add_argument("--test", required=True, help="manifest of unseen speech with text")
    parser.add_argument("--out", required=True, help="folder of the two runs")
    parser.add_argument("--count", type=int, default=20, help="recordings scored (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    parser.add_argument("--set", nargs="+", default=[], help="KEY=VALUE for both recipes")
    args = parser.parse_args(arguments)
    if args.listen and not args.valid:
        parser.error("--listen needs --valid")
    torch.set_num_threads(args.threads)
    start = prepared(args)
    results = [run(name, start, args) for name in LABELS]
    write_json(Path(args.out) / "semantic.json", results)
    (Path(args.out) / "semantic.md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()

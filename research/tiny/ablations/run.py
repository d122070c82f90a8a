"""Trains `full.toml` and its variations for as many steps each, and measures them on unseen speech.

    python -m research.tiny.ablations.run --data data/tiny/train.jsonl --test data/tiny/test.jsonl \
        --out runs/ablations --steps-1 1000 --steps-2 500 --threads 1

A finished run is skipped, a stopped one goes on. Writes OUT/NAME/result.json for each run, and
OUT/ablations.json and OUT/ablations.md over those that are finished. Steps are equal, time is not:
the table has both. All are judged by the same mel distance, whatever they were trained with.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from research.study import listed, markdown, measure, score_cells, train, write_json

from catok import CausalAudioTokenizer
from catok.training import CodecTrainConfig, SemanticHead, load_recipe, override_recipe, read_cuts

HERE = Path(__file__).parent
NAMES = (
    "full",
    "no_adversarial",
    "no_semantic",
    "no_dropout",
    "partial",
    "encodec_mel",
    "random_init",
)


def recipe(name: str, steps: list[int], overrides: list[str]) -> CodecTrainConfig:
    """The named recipe with these steps per stage."""
    config = override_recipe(load_recipe(HERE / f"{name}.toml"), overrides)
    stages = [replace(s, steps=n) for s, n in zip(config.stages, steps, strict=True)]
    return replace(config, stages=tuple(stages))


def run(name: str, config: CodecTrainConfig, args: argparse.Namespace) -> dict[str, Any]:
    """Train and measure one, unless that was done before."""
    folder = Path(args.out) / name
    done = folder / "result.json"
    if done.is_file():
        return json.loads(done.read_text())
    seconds = train(config, [(read_cuts(args.data), None)], folder)
    reads = config.semantic is not None and config.weights["semantic"]
    head = SemanticHead.from_pretrained(folder / "model" / "semantic") if reads else None
    tok = CausalAudioTokenizer.from_pretrained(folder / "model")
    result = {
        "name": name,
        "steps": [stage.steps for stage in config.stages],
        "seconds": seconds,
        **measure(tok, listed(args.test), count=args.count, head=head),
    }
    write_json(done, result)
    return result


def table(results: list[dict[str, Any]]) -> str:
    """One line per run, values by number of codebooks."""
    depths = results[0]["depths"]
    by_depth = " / ".join(map(str, depths))
    head = ["", "steps", "seconds", f"STOI at {by_depth}", "PESQ-WB", "mel distance"]
    rows = [[*head, "perplexity", "text, nats a byte"]]
    for result in results:
        text = result.get("text")
        rows.append(
            [
                result["name"],
                " + ".join(map(str, result["steps"])),
                " + ".join(f"{s:.0f}" for s in result["seconds"].values()),
                *score_cells(result),
                f"{result['perplexity']:.0f}",
                f"{text[str(depths[-1])]['own']:.3f}" if text else "-",
            ]
        )
    return markdown(rows)


def main(arguments: list[str] | None = None) -> None:
    """Run what is asked for, then write the table of what is finished."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, help="training data, as `catok train --data`")
    parser.add_argument("--test", required=True, help="manifest of unseen speech with text")
    parser.add_argument("--out", required=True, help="folder of the runs")
    parser.add_argument("--steps-1", type=int, default=1000, help="of stage 1 (%(default)s)")
    parser.add_argument("--steps-2", type=int, default=500, help="of stage 2 (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="these runs alone")
    parser.add_argument("--count", type=int, default=20, help="recordings scored (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    parser.add_argument("--set", nargs="+", default=[], help="KEY=VALUE for every recipe")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    for name in args.only:
        print(name, flush=True)
        run(name, recipe(name, [args.steps_1, args.steps_2], args.set), args)
    files = [Path(args.out) / name / "result.json" for name in NAMES]
    results = [json.loads(file.read_text()) for file in files if file.is_file()]
    write_json(Path(args.out) / "ablations.json", results)
    (Path(args.out) / "ablations.md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()

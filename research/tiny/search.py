"""Short runs of `tiny` from nothing, for as many seconds each, one change at a time.

    python -m research.tiny.search --data data/tiny/train.jsonl --test data/tiny/test.jsonl \
        --out runs/search --minutes 4 --threads 1

Same data and seed. The rate stays at its peak, so that a run may end anywhere; what is judged is
the running average of the weights. "soap" and "schedule-free" need `pip install pytorch_optimizer`.
A finished run is skipped. Writes OUT/NAME/result.json and OUT/search.md.
"""

import argparse
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import torch
from research.study import listed, markdown, measure, score_cells, write_json

from catok.tokenizer.config import PRESETS
from catok.tokenizer.tokenizer import CausalAudioTokenizer
from catok.training import CodecTrainer, load_recipe, read_cuts

RECIPES = Path(__file__).parents[2] / "recipes" / "tiny"
SETTINGS = ["stages=[{steps=1000000}]", "optimizer.min_lr_ratio=1.0", "ema=0.99", "autocast=false"]
LOUDNESS = ['mel.magnitude="loudness"', "mel.normalized=true", "mel.floor=1e-6", "weights.mel=45"]

VARIANTS: dict[str, list[str]] = {
    "as is": [],
    "another seed": ["seed=1"],
    "crops of 1.28 s, 10 a batch": ["data.crop_seconds=1.28", "data.batch_size=10"],
    "crops of 6.4 s, 2 a batch": ["data.crop_seconds=6.4", "data.batch_size=2"],
    "half the batch": ["data.batch_size=2"],
    "all seven mel scales a step": ["mel.scales_per_step=7"],
    "one mel scale a step": ["mel.scales_per_step=1"],
    "mel as loudness": LOUDNESS,
    "no revival": ["revival.after=0"],
    "prefixes 1, 2, 4 ... 32": ["quantizer_dropout.lengths=[1,2,4,8,16,32]"],
    "every step all codebooks": ["quantizer_dropout.probability=0.0"],
    "bfloat16 autocast": ["autocast=true"],
    "rate 5e-4": ["optimizer.learning_rate=5e-4"],
    "rate 2e-3": ["optimizer.learning_rate=2e-3"],
    "random first weights": ['initialize="random"'],
    "no waveform loss": ["weights.waveform=0.0"],
    "narrow-band recordings too": ["data.min_band_edge=0.0"],
    "discriminators from the start": [
        "stages=[{steps=1000000, adversarial=true}]",
        'gan.discriminators="small"',
        "gan.crop_seconds=0.36",
    ],
    "finest stage 128 wide": [],
    "a block more at 100 Hz": [],
    "a block less at 12.5 Hz": [],
    "soap": [
        'optimizer.name="python=pytorch_optimizer:SOAP"',
        "optimizer.options={max_precondition_dim=512, betas=[0.95, 0.95]}",
    ],
    "schedule-free": [
        "ema=0.0",
        'optimizer.name="python=pytorch_optimizer:ScheduleFreeAdamW"',
        "optimizer.options={betas=[0.9, 0.99]}",
    ],
}

# width and layers of the encoder's Transformer stages, finest first; the decoder mirrors it
SHAPES: dict[str, dict[int, dict[str, int]]] = {
    "finest stage 128 wide": {0: {"width": 128, "heads": 2, "feedforward": 512}},
    "a block more at 100 Hz": {0: {"layers": 2}},
    "a block less at 12.5 Hz": {3: {"layers": 1}},
}


def preset(changes: dict[int, dict[str, int]], folder: Path) -> Path:
    """The preset `tiny` with other Transformer stages, as a JSON file in `folder`."""
    data = json.loads((PRESETS / "tiny.json").read_text())
    stages = [stage for stage in data["encoder"] if "width" in stage]
    for number, change in changes.items():
        stages[number].update(change)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(data))
    return folder / "tokenizer.json"


class Deadline:
    """Stops the run, as Ctrl-C would, after so many seconds of training."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.step, self._begin = seconds, 0, time.monotonic()

    def begin(self) -> None:
        """From now on."""
        self._begin = time.monotonic()

    def show(self, event: dict[str, Any]) -> None:
        """Takes the run's log events."""
        self.step = max(self.step, event["step"])
        if time.monotonic() - self._begin > self.seconds:
            os.kill(os.getpid(), signal.SIGTERM)


def run(name: str, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Train and measure one, unless that was done before."""
    if (folder / "result.json").is_file():
        return json.loads((folder / "result.json").read_text())
    overrides = [*SETTINGS, f"log_every={args.log_every}", *VARIANTS[name], *args.set]
    if name in SHAPES:
        overrides.append(f'architecture="{preset(SHAPES[name], folder)}"')
    config = load_recipe(RECIPES / "train.toml", overrides)
    deadline = Deadline(60 * args.minutes)
    corpora = [(read_cuts(args.data), None)]
    trainer = CodecTrainer(config, corpora, [], folder / "run", report=deadline.show)
    deadline.begin()
    trainer.run()
    if name == "schedule-free":  # its weights are another point than the one that learns
        optimizer: Any = trainer.learner.optimizer
        optimizer.eval()
        trainer.publish(folder / "run" / "model")
    tok = CausalAudioTokenizer.from_pretrained(folder / "run" / "model")
    facts = {"name": name, "minutes": args.minutes, "steps": deadline.step}
    facts["parameters"] = sum(p.numel() for p in tok.parameters())
    result = facts | measure(tok, listed(args.test)[: args.listen], count=args.count)
    write_json(folder / "result.json", result)
    return result


def table(results: list[dict[str, Any]]) -> str:
    """One line per run, values by number of codebooks."""
    depths = " / ".join(map(str, results[0]["depths"]))
    rows = [["run", "parameters", "steps", f"STOI at {depths}", "PESQ-WB", "mel", "perplexity"]]
    for result in results:
        millions = f"{result['parameters'] / 1e6:.1f} M"
        use = f"{result['perplexity']:.0f}"
        rows.append([result["name"], millions, str(result["steps"]), *score_cells(result), use])
    return markdown(rows)


def main(arguments: list[str] | None = None) -> None:
    """Run what is asked for, then write the table of what is finished."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, help="training data, as `catok train --data`")
    parser.add_argument("--test", required=True, help="manifest of unseen speech")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--minutes", type=float, default=4.0, help="of training (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=[*VARIANTS])
    parser.add_argument("--count", type=int, default=16, help="recordings scored (%(default)s)")
    parser.add_argument("--listen", type=int, default=40, help="recordings coded (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    parser.add_argument("--log-every", type=int, default=5, help="steps (%(default)s)")
    parser.add_argument("--set", nargs="+", default=[], help="KEY=VALUE for every run")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    folders = {name: args.out / name.replace(" ", "-") for name in VARIANTS}
    for name in args.only:
        print(name, flush=True)
        run(name, folders[name], args)
    files = [folder / "result.json" for folder in folders.values()]
    found = table([json.loads(file.read_text()) for file in files if file.is_file()])
    (args.out / "search.md").write_text(found)
    print(found)


if __name__ == "__main__":
    main()

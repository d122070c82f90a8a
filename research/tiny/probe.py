"""Probes of an hour: train from nothing for so many core-minutes, one change at a time.

    python -m research.tiny.probe run --data DATA --out RUNS --minutes 60 [--only NAME ...]
    python -m research.tiny.probe list

`run` works off the list of `probes.py` in order; start it twice for two workers: a probe that
another one has in hand is left to it. Stopped in any way, the same command goes on: a probe's state
is saved every few minutes. DATA holds train.jsonl and test.jsonl (`corpus.py`). Writes
RUNS/NAME/rows.jsonl, one line per checkpoint, and the model.

The learning rate stays at its peak for three quarters of the budget and then falls linearly to a
fiftieth. Checkpoints are even in log time; what is judged is the running average of the weights.
"""

import argparse
import fcntl
import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from research.tiny.probes import PROBES
from research.tiny.scores import read_clips, score
from research.tiny.work import Work

from catok import CausalAudioTokenizer
from catok.training.codec.data import read_cuts
from catok.training.codec.train_config import load_recipe
from catok.training.codec.trainer import CodecTrainer

RECIPE = Path(__file__).parents[2] / "recipes/tiny/train.toml"
CHECKPOINTS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1)
COOL = 0.75  # of the budget: from here on the rate falls
LAST_RATE = 0.02
SAVE_SECONDS = 150.0

stopping = False


def stop(*_: object) -> None:
    """SIGTERM or Ctrl-C: finish the step, save, end."""
    global stopping
    stopping = True


def share_of_rate(done: float) -> float:
    """Of the peak, by the share of the budget that is done."""
    left = max(0.0, (1 - done) / (1 - COOL))
    return min(1.0, LAST_RATE + (1 - LAST_RATE) * left)


class Run:
    """One probe in its folder."""

    def __init__(self, name: str, folder: Path, data: Path, minutes: float) -> None:
        self.name, self.folder, self.minutes = name, folder, minutes
        folder.mkdir(parents=True, exist_ok=True)
        self.config = load_recipe(RECIPE, PROBES[name].overrides(folder))
        corpora = [(read_cuts(data / "train.jsonl"), None)]
        self.trainer = CodecTrainer(self.config, corpora, [], folder / "run")
        self.clips = read_clips(data / "test.jsonl")
        self.work = self._resumed()
        self.rows = self.folder / "rows.jsonl"

    def _resumed(self) -> Work:
        """Work done so far; if the process died between two writes, in proportion to the steps."""
        file = self.folder / "work.json"
        if not self.trainer.step or not file.is_file():
            return Work()
        saved = json.loads(file.read_text())
        share = self.trainer.step / max(1, saved["step"])
        return Work(saved["cpu"] * share, saved["nominal"] * share)

    def save(self) -> None:
        """The run's state and the work it took."""
        self.trainer.save()
        facts = {"step": self.trainer.step, "cpu": self.work.cpu, "nominal": self.work.nominal}
        write(self.folder / "work.json", facts)

    def train(self) -> bool:
        """Until the budget is spent (True) or a stop is asked for."""
        budget, peak = 60 * self.minutes, self.config.optimizer.learning_rate
        done_rows = len(self.rows.read_text().splitlines()) if self.rows.is_file() else 0
        saved, losses = time.monotonic(), {}
        self.work.begin()
        for batches in self.trainer.batches():
            learner = self.trainer.learner
            if learner.stage is not None:
                rate = peak * share_of_rate(self.work.nominal / budget)
                learner.stage = replace(learner.stage, learning_rate=rate)
            result = self.trainer.train_step(batches)
            for key, value in result.metrics.items():
                losses[key] = 0.99 * losses.get(key, value) + 0.01 * value
            self.work.count()
            while done_rows < len(CHECKPOINTS) and (
                self.work.nominal >= CHECKPOINTS[done_rows] * budget
            ):
                self.measure(done_rows, losses)
                done_rows += 1
                self.work.begin()
            if self.work.nominal >= budget:
                self.save()
                return True
            if stopping or time.monotonic() - saved > SAVE_SECONDS:
                self.save()
                saved = time.monotonic()
                self.work.begin()
            if stopping:
                return False
        return True

    def measure(self, number: int, losses: dict[str, float]) -> None:
        """Append a row for checkpoint `number`; the last one with word errors."""
        self.trainer.publish(self.folder / "model")
        tok = CausalAudioTokenizer.from_pretrained(self.folder / "model")
        transcriber = None
        if number == len(CHECKPOINTS) - 1:
            from catok.evaluation.transcribers.registry import build_transcriber

            transcriber = build_transcriber()
        batch = self.config.data.batch_size * self.config.data.crop_seconds
        row: dict[str, Any] = {
            "probe": self.name,
            "minutes": round(self.work.nominal / 60, 2),
            "cpu_minutes": round(self.work.cpu / 60, 2),
            "step": self.trainer.step,
            "audio_hours": round(self.trainer.step * batch / 3600, 2),
            "parameters": sum(p.numel() for p in tok.parameters()),
            "losses": {key: round(value, 4) for key, value in losses.items()},
            "perplexity": round(float(self.trainer.learner.usage.perplexity().mean()), 1),
            "scores": score(tok, self.clips, transcriber),
        }
        with self.rows.open("a") as file:
            file.write(json.dumps(row) + "\n")
        best = row["scores"]["32"]
        print(
            f"{time.strftime('%H:%M')} {self.name}: {row['minutes']:.1f} min, step {row['step']}, "
            f"STOI {best['stoi']:.3f} WB {best['pesq_wb']:.3f} NB {best['pesq_nb']:.3f}",
            flush=True,
        )


def write(path: Path, data: Any) -> None:
    """JSON, in one piece or not at all."""
    scratch = path.with_name(path.name + ".tmp")
    scratch.write_text(json.dumps(data))
    os.replace(scratch, path)


def run(args: argparse.Namespace) -> None:
    """Work off the list, as far as no other worker does."""
    for name in args.only or list(PROBES):
        folder = args.out / name.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if (folder / "done.json").is_file():
                continue
            print(f"{time.strftime('%H:%M')} {name}: {PROBES[name].asks}", flush=True)
            if Run(name, folder, args.data, args.minutes).train():
                write(folder / "done.json", {"minutes": args.minutes})
                (folder / "run/last.pt").unlink(missing_ok=True)
        if stopping:
            return


def main(arguments: list[str] | None = None) -> None:
    """The command line: see the module's text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True)
    listing = commands.add_parser("list", help="what there is")
    listing.set_defaults(call=lambda args: [print(f"{n:18}{p.asks}") for n, p in PROBES.items()])
    running = commands.add_parser("run", help="work off the list")
    running.add_argument("--data", type=Path, required=True)
    running.add_argument("--out", type=Path, required=True)
    running.add_argument("--minutes", type=float, default=60.0, help="each (%(default)s)")
    running.add_argument("--only", nargs="+", choices=PROBES, metavar="NAME", help="just these")
    running.set_defaults(call=run)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    args.call(args)


if __name__ == "__main__":
    main()

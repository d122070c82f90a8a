"""`catok train`: a training run from a recipe."""

import sys
import time
from datetime import timedelta
from typing import Annotated, Any

from tyro.conf import Positional, arg

from catok.cli import arguments as shared
from catok.cli.errors import INTERRUPTED


def run(
    recipe: Annotated[Positional[str], arg(metavar="RECIPE", help="A TOML file of settings.")],
    data: Annotated[
        str, arg(metavar="DATA", help="A manifest (JSON lines) or a folder of audio to train on.")
    ],
    out: Annotated[
        str, arg(metavar="FOLDER", help="Where log.jsonl, last.pt and model/ go; may be resumed.")
    ],
    valid: Annotated[
        str | None, arg(metavar="DATA", help="Likewise, to measure on.", help_behavior_hint="")
    ] = None,
    steps: Annotated[
        int | None,
        arg(metavar="N", help="Instead of the recipe's steps.", help_behavior_hint=""),
    ] = None,
    device: shared.Device = "auto",
    threads: Annotated[
        int | None,
        arg(metavar="N", help="CPU threads.", help_behavior_hint="(default: PyTorch's choice)"),
    ] = None,
) -> int:
    """Train a tokenizer, or go on with the run in FOLDER.

    Ctrl-C and SIGTERM end the run after the step at hand and save it.
    """
    from dataclasses import replace

    import torch

    from catok.cli.models import pick_device
    from catok.training.config import TrainConfig
    from catok.training.data import read_manifest
    from catok.training.loop import Trainer

    config = TrainConfig.from_toml(recipe)
    if steps is not None:
        config = replace(config, steps=steps)
    if threads is not None:
        if threads < 1:
            raise ValueError(f"--threads must be at least 1, got {threads}")
        torch.set_num_threads(threads)
    lines = _Lines(config.steps)
    trainer = Trainer(
        config,
        read_manifest(data),
        read_manifest(valid) if valid is not None else [],
        out,
        device=pick_device(device),
        report=lines.show,
    )
    if trainer.step:
        _say(f"catok: going on from step {trainer.step} of {out}")
    lines.begin(trainer.step)
    trainer.run()
    _say(f"catok: {trainer.step} of {config.steps} steps done, model in {trainer.folder / 'model'}")
    return 0 if trainer.step >= config.steps else INTERRUPTED


class _Lines:
    """Log events as lines on stderr, with the time that is left."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def begin(self, step: int) -> None:
        self._first, self._started = step, time.monotonic()

    def show(self, event: dict[str, Any]) -> None:
        step = event["step"]
        parts = [f"step {step}/{self._steps}"]
        if "total" in event:
            per_step = (time.monotonic() - self._started) / (step - self._first)
            left = timedelta(seconds=round(per_step * (self._steps - step)))
            speed = event["audio_per_second"]
            parts += [f"mel {event['mel']:.4f}", f"total {event['total']:.4f}"]
            parts += [f"{speed:.1f} audio s/s", f"ETA {left}"]
        else:
            parts += [f"{name} {value}" for name, value in event.items() if name != "step"]
        _say("  ".join(parts))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

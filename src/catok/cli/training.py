"""What the training commands share: data, devices, processes and the display."""

import os
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tqdm import tqdm

from catok.cli import terminal
from catok.cli.arguments import DeviceName, check_exists
from catok.cli.errors import INTERRUPTED
from catok.cli.terminal import print_note
from catok.io.lock import folder_lock

if TYPE_CHECKING:
    import torch

    from catok.training.codec.train_config import CodecTrainConfig
    from catok.training.engine.distributed import Group


class Runnable(Protocol):
    """A trainer: `step` steps are done, `run` does the others; `folder` is where."""

    step: int
    folder: Path

    def run(self) -> None: ...


Builder = Callable[["Group", "torch.device", Callable[[dict[str, Any]], None]], Runnable]
"""Processes, device and where log events go -> the trainer."""


def check_run(out: str, data: str | None, valid: str | None) -> None:
    """What can be told of a run before anything is loaded. Raises ValueError."""
    for path in (data, valid):
        if path is not None and "{" not in path and "*" not in path and ":" not in path:
            check_exists(path)
    if os.path.exists(out) and not os.path.isdir(out):
        raise ValueError(f"{out} is a file: --out names the folder of the run")


def train(
    config: "CodecTrainConfig",
    data: str | None,
    valid: str | None,
    out: str,
    device: DeviceName,
) -> int:
    """Run a tokenizer's recipe; returns the exit code."""
    from catok.training.codec.data import left_out, read_cuts
    from catok.training.codec.trainer import CodecTrainer

    def build(
        group: "Group", place: "torch.device", report: Callable[[dict[str, Any]], None]
    ) -> CodecTrainer:
        paths = [data] if data is not None else [corpus.path for corpus in config.data.corpora]
        if data is not None:
            corpora = [(read_cuts(data), None)]
        elif config.data.corpora:
            corpora = [(read_cuts(c.path, domain=c.domain), c.weight) for c in config.data.corpora]
        else:
            raise ValueError("no data: pass --data, or list data.corpora in the recipe")
        validation = [(read_cuts(valid), None)] if valid is not None else []
        for path in filter(None, [*paths, valid]):
            besides = left_out(path)
            if besides and group.is_main:
                print_note(f"catok: {path}: left out {besides}")
        return CodecTrainer(
            config, corpora, validation, out, device=place, group=group, report=report
        )

    return run_training(build, config.steps, out, device)


def run_training(build: Builder, steps: int, out: str, device: DeviceName) -> int:
    """Join the other processes, if any, build the trainer and run it; returns the exit code."""
    from catok.audio import audio_warnings
    from catok.cli.loading import pick_device
    from catok.training.engine import distributed

    group, place = distributed.init_distributed(pick_device(device))
    display = Display(steps)
    with (
        audio_warnings(display.warn) as incomplete,
        folder_lock(out) if group.is_main else nullcontext(),
    ):
        trainer = build(group, place, display.show)
        if group.is_main:
            display.begin(trainer.step, out)
        trainer.run()
        distributed.shutdown(group)
    if group.is_main:
        display.end(trainer.step, trainer.folder / "model", len(incomplete))
    return 0 if trainer.step >= steps else INTERRUPTED


class Display:
    """Log events on stderr: a bar with speed and time left on a terminal, else lines.

    Where stderr is gone, as that of a terminal that was closed, nothing is shown: the run goes on.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._bar: tqdm | None = None

    def begin(self, step: int, folder: str) -> None:
        """The run begins, or goes on, at `step`."""
        self._first, self._started = step, time.monotonic()
        if step:
            self._say(f"catok: going on from step {step} of {folder}")
        if terminal.has_bars():
            self._bar = terminal.bar(self._steps, initial=step, unit="step")

    def end(self, step: int, model: object, incomplete: int = 0) -> None:
        """The run ended at `step`; `incomplete`: recordings that were not read whole."""
        if self._bar is not None:
            with suppress(OSError):
                self._bar.close()
            self._bar = None
        besides = f"; recordings not read whole: {incomplete}" if incomplete else ""
        self._say(f"catok: {step} of {self._steps} steps done, model in {model}{besides}")

    def warn(self, line: str) -> None:
        """Something is missing from a recording that was read."""
        self._say(f"catok: warning: {line}")

    def show(self, event: dict[str, Any]) -> None:
        """One event of the log."""
        with suppress(OSError):
            self._show(event)

    def _show(self, event: dict[str, Any]) -> None:
        step = event["step"]
        if "save_minutes" in event:
            self._say(f"catok: {_plan(event)}")
            return
        if "settings_changed" in event:
            from catok.training.engine.saved import described

            self._say(f"catok: settings changed: {described(event['settings_changed'])}")
            return
        if "audio_per_second" not in event:
            numbers = [f"{name} {value}" for name, value in event.items() if name != "step"]
            self._say(f"step {step}/{self._steps}  " + "  ".join(numbers))
            return
        speed = f"{event['audio_per_second']:.1f} audio s/s"
        names = ("mel", "total", "discriminator")
        numbers = [f"{name} {event[name]:.4f}" for name in names if name in event]
        if event.get("finite") is False:
            self._say(f"step {step}: skipped, its losses or gradients are not finite")
        if self._bar is not None:
            self._bar.set_postfix_str("  ".join([*numbers, speed]), refresh=False)
            self._bar.update(step - self._bar.n)
        else:
            per_step = (time.monotonic() - self._started) / max(1, step - self._first)
            left = timedelta(seconds=round(per_step * (self._steps - step)))
            self._say("  ".join([f"step {step}/{self._steps}", *numbers, speed, f"ETA {left}"]))

    @staticmethod
    def _say(line: str) -> None:
        with suppress(OSError):
            print_note(line)


def _plan(event: dict[str, Any]) -> str:
    """What a run is to do, in words."""
    hours = event["hours"]
    if isinstance(hours, dict):
        hours = sum(hours.values())
    of = f" on {hours:.3g} hours of audio" if hours else ""
    left_out = event.get("left_out")
    validates = event["validate_every"]
    parts = [
        f"{event['steps']} steps{of}, {event['parameters'] / 1e6:.3g} M parameters",
        f"left out: {', '.join(f'{n} ({why})' for why, n in left_out.items())}" if left_out else "",
        f"logs every {event['log_every']} steps",
        f"validates every {validates}" if validates else "no --valid, no validation",
        f"saves every {event['save_minutes']:g} minutes and at the end",
    ]
    return "; ".join(filter(None, parts))

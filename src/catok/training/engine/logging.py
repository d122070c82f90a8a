"""Where a run writes down how it goes: JSON lines always, TensorBoard if wanted."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from catok.extras import install
from catok.io.files import replacing
from catok.io.json import parse_object
from catok.io.text import read_text
from catok.modules.mel import mel_filters
from catok.modules.stft import stft_magnitude

LOG = "log.jsonl"


class RunLog:
    """Everything that a run's first process writes; the others' are inactive and write nothing."""

    def __init__(
        self,
        folder: Path,
        step: int,
        tensorboard: bool,
        report: Callable[[dict[str, Any]], None],
        active: bool,
    ) -> None:
        self._lines = JsonLinesLog(folder, step) if active else None
        self._board = TensorBoard(folder, step) if active and tensorboard else None
        self._report = report

    def write(self, event: dict[str, Any]) -> None:
        """One event: "step" and what there is to say of it."""
        if self._lines:
            self._lines.write(event)
            self._report(event)
        if self._board:
            self._board.write(event)

    def show(self, step: int, examples: dict[str, Tensor], rate: int, counts: Tensor) -> None:
        """As `TensorBoard.show`, if there is one."""
        if self._board:
            self._board.show(step, examples, rate, counts)

    def close(self) -> None:
        """Flush and close all writers."""
        if self._board:
            self._board.close()


class JsonLinesLog:
    """log.jsonl of a run that goes on from `step`: what an earlier process logged after that step
    is dropped, since it will happen again.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.path = folder / LOG
        if self.path.is_file():
            text = self.path.read_text(errors="replace")
            kept = "".join(f"{line}\n" for line in text.splitlines() if _step_of(line) <= step)
            if kept != text:
                with replacing(self.path) as temporary:
                    Path(temporary).write_text(kept)

    def write(self, event: dict[str, Any]) -> None:
        """Append one line; NaN and infinity become null."""
        clean = {k: _clean(v) for k, v in event.items()}
        with self.path.open("a") as file:
            file.write(json.dumps(clean) + "\n")


def last_step(path: Path) -> int | None:
    """The last step in a run's log.jsonl; None where there is none."""
    lines = read_text(path, 1 << 30).splitlines() if path.exists() else []
    steps = (step for line in reversed(lines) if (step := _step_of(line)) < math.inf)
    return next(map(int, steps), None)


def _step_of(line: str) -> float:
    try:
        return float(parse_object(line, "a line")["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf  # half a line of a killed process


def _clean(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


class TensorBoard:
    """Scalars of every event; of validations also audio, spectrograms and use of the codebooks.

    Of a run that goes on from `step`, what was written of later steps is hidden.
    """

    def __init__(self, folder: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise ValueError(f"tensorboard = true needs: {install('train')}") from error
        later = step + 1 if step else None
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=later)

    def write(self, event: dict[str, Any]) -> None:
        """Every number of an event; those of a list under NAME/1, NAME/2 and so on."""
        for name, value in event.items():
            if isinstance(value, list):
                for index, entry in enumerate(value):
                    self._writer.add_scalar(f"{name}/{index + 1}", entry, event["step"])
            elif name != "step" and isinstance(value, int | float):
                self._writer.add_scalar(name, value, event["step"])

    def show(self, step: int, examples: dict[str, Tensor], rate: int, counts: Tensor) -> None:
        """`examples`: audio `[C, T]` by name; `counts` `[K, N]`: uses per codebook and code."""
        filters, _ = mel_filters(rate, 1024, 80)
        for name, audio in examples.items():
            mono = audio.mean(0, keepdim=True).cpu()
            self._writer.add_audio(name, mono.clamp(-1, 1), step, sample_rate=rate)
            mel = (stft_magnitude(mono, 1024) @ filters).clamp(min=1e-5).log10()
            picture = mel[0].t().flip(0)  # [bins, frames], high at the top
            lowest, highest = picture.min(), picture.max()
            self._writer.add_image(
                f"{name}/mel", ((picture - lowest) / (highest - lowest + 1e-9))[None], step
            )
        for index, row in enumerate(counts.cpu()):
            share = torch.sort(row / row.sum().clamp(min=1e-9), descending=True).values
            self._writer.add_histogram(f"codebook/{index + 1}", share, step)
        self._writer.flush()

    def close(self) -> None:
        """Write out what is still in memory."""
        self._writer.close()

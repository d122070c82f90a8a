"""Systems and metrics that cost nothing, importable by worker processes.

As a program, `python -m tests.evaluation.run.fakes DATA OUT WORKERS`, it evaluates a slow system.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from catok import Encoded, save_audio
from catok.evaluation.metrics.base import Column
from catok.evaluation.metrics.registry import MetricOptions
from catok.evaluation.run.evaluate import Evaluation, evaluate
from catok.evaluation.systems.base import Output

FRAME = 100  # samples


class Gain:
    """Settings are gains. `codes`: what it gives as codes, two codebooks of four."""

    def __init__(self, name: str, gains: tuple[str, ...], pause: float = 0.0, with_codes=False):
        self.name, self.settings, self.pause, self.with_codes = name, gains, pause, with_codes

    def run(self, audio: torch.Tensor, sample_rate: int) -> Iterator[Output]:
        time.sleep(self.pause)
        samples = audio.shape[1]
        encoded = None
        if self.with_codes:
            frames = -(-samples // FRAME)
            codes = torch.stack([torch.arange(frames) % 4, torch.zeros(frames).long()])[None]
            lengths = torch.tensor([samples])
            encoded = Encoded(codes, lengths, sample_rate, 1, FRAME, 4, self.name, "0" * 16)
        for gain in self.settings:
            bits = None if self.name == "original" else round(float(gain) * samples)
            depth, weights = (None, None) if encoded is None else (2, "0" * 16)
            yield Output(gain, audio * float(gain), bits, 0.5, 0.25, depth, encoded, weights)


class Broken:
    """Fails at its second setting, and with a shout at recordings of silence."""

    name, settings = "broken", ("fine", "bad")

    def run(self, audio: torch.Tensor, sample_rate: int) -> Iterator[Output]:
        yield Output("fine", audio, 1000, 0.1, 0.1)
        raise RuntimeError("the codec\nfell over")


class Odd:
    """States its bits as a NumPy number, and times that are none."""

    name, settings = "odd", ("bits", "time")

    def run(self, audio: torch.Tensor, sample_rate: int) -> Iterator[Output]:
        yield Output("bits", audio, np.int64(300), 0.1, 0.1)
        yield Output("time", audio, 300, float("nan"), 0.1)


class Level:
    """Two columns: the ratio of the peaks, and one that refuses recordings called `quiet`."""

    speech_only = False
    columns = (Column("ratio", "ratio of peaks"), Column("picky", "picky", "lower"))

    def __call__(self, sample):
        if "quiet" in sample.key:
            raise ValueError("too quiet")
        value = float(sample.output.abs().max() / sample.reference.abs().max())
        return {"ratio": value, "picky": float("inf") if value == 1 else value}


class Words:
    """As many words as letters in the key, one of them wrong; nothing without a text.

    Of speech only.
    """

    speech_only = True
    columns = tuple(
        Column(name, name, better, unit)
        for name, better, unit in (
            ("wer", "lower", "%"),
            ("word_errors", "neither", ""),
            ("words", "neither", ""),
        )
    )

    def __call__(self, sample):
        count = len(sample.text or "")
        return {"wer": 100 / count, "word_errors": 1, "words": count} if count else {}


def build_system(text: str, *, device: str):
    """original, NAME:GAIN,..., broken, odd; names with "slow" pause, with "codes" keep codes."""
    assert device == "cpu"
    if text == "original":
        return Gain("original", ("1",))
    if text in ("broken", "odd"):
        return Broken() if text == "broken" else Odd()
    name, _, gains = text.partition(":")
    pause = 0.15 if "slow" in name else 0.0
    return Gain(name, tuple(gains.split(",")), pause, "codes" in name)


def build_metrics(names, options: MetricOptions):
    """level, words; absent, which is left out."""
    known = {"level": Level, "words": Words}
    if set(names) - set(known) - {"absent"}:
        raise ValueError(f"unknown metrics {names}")
    return [known[name]() for name in names if name != "absent"], (
        {"absent": "its model is not there"} if "absent" in names else {}
    )


def evaluation(data: Path, *models: str, **changes) -> Evaluation:
    """With the fakes in place of real systems and metrics."""
    settings: dict = {"metrics": ("level",), "examples": 0, "threads": 1}
    settings |= {"build_system": build_system, "build_metrics": build_metrics}
    return Evaluation(str(data), models, **(settings | changes))


def noise(folder: Path, name: str, seconds: float = 0.6, peak: float = 0.5, rate: int = 1000):
    """A recording of noise."""
    generator = torch.Generator().manual_seed(len(name))
    audio = torch.rand(1, round(seconds * rate), generator=generator) - 0.5
    save_audio(folder / name, audio / audio.abs().max() * peak, rate)


if __name__ == "__main__":
    slow = evaluation(Path(sys.argv[1]), "slow:0.5", workers=int(sys.argv[3]))
    evaluate(slow, Path(sys.argv[2]))

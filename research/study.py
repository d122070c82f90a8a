"""What the small studies share: a timed run that can be resumed, and what unseen speech says of it.

The studies are run from the checkout's folder, for example `python -m research.scaling.run --help`.
"""

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from research.hearing import Heard, text_loss
from torch import Tensor

from catok import CausalAudioTokenizer, load_audio
from catok.evaluation import pesq, stoi
from catok.evaluation.run.recordings import (
    UNKNOWN,
    EvalRecording,
    Selection,
    read_recordings,
    select_recordings,
)
from catok.modules.codebook_usage import count_codes, perplexity
from catok.training import CodecTrainConfig, CodecTrainer, Corpora, MelLoss, SemanticHead

DEPTHS = (4, 8, 16, 32)


def listed(manifest: str | Path) -> list[EvalRecording]:
    """The speech of a manifest, in the order of `catok evaluate`: languages and voices mix."""
    speech = ("speech", UNKNOWN)
    return [
        r for r in select_recordings(read_recordings(manifest), Selection()) if r.domain in speech
    ]


@dataclass
class Clock:
    """Wall seconds per stage over all processes of a run; `show` takes the run's log events."""

    path: Path
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path.is_file():
            self.seconds = json.loads(self.path.read_text())
        self._last = time.monotonic()

    def show(self, event: dict[str, Any]) -> None:
        """Charge the time since the last event to the event's stage."""
        if "stage" in event:
            self.charge(event["stage"])
            print(
                f"  step {event['step']}  total {event['total']:.3f}", file=sys.stderr, flush=True
            )

    def charge(self, stage: int) -> None:
        """The time since the last call, or the beginning, was the stage's."""
        now, name = time.monotonic(), str(stage)
        self.seconds[name] = round(self.seconds.get(name, 0.0) + now - self._last, 1)
        self._last = now
        self.path.write_text(json.dumps(self.seconds))


def train(config: CodecTrainConfig, corpora: Corpora, folder: Path) -> dict[str, float]:
    """Train in `folder` or go on there; returns wall seconds per stage, initialisation included.

    Ends the program when the run is stopped by Ctrl-C or SIGTERM; the same command goes on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clock = Clock(folder / "seconds.json")
    trainer = CodecTrainer(config, corpora, [], folder, report=clock.show)
    if trainer.step < config.steps:
        trainer.run()
        clock.charge(config.stage_at(trainer.step - 1)[0] + 1)
    if trainer.step < config.steps:
        raise SystemExit(f"stopped at step {trainer.step}; the same command goes on")
    return clock.seconds


@torch.no_grad()
def measure(
    tok: CausalAudioTokenizer,
    recordings: Sequence[EvalRecording],
    *,
    count: int,
    depths: Sequence[int] = DEPTHS,
    head: SemanticHead | None = None,
    with_pesq: bool = True,
) -> dict[str, Any]:
    """Quality by number of codebooks, on the first `count` recordings of 2 s or more, and the use
    of codes, and the text's cross-entropy with a `head`, on all of them.
    """
    depths = [depth for depth in depths if depth <= tok.num_quantizers]
    used = torch.zeros(tok.num_quantizers, tok.codebook_size)
    scored: list[dict[str, Any]] = []
    spoken: list[Heard] = []
    for recording in recordings:
        audio, _ = load_audio(recording.path, sample_rate=tok.sample_rate, channels=tok.channels)
        codes = tok.encode(audio[None]).codes
        mask = torch.ones(1, codes.shape[2], dtype=torch.bool)
        used += count_codes(codes, mask, tok.codebook_size)
        if recording.text:
            spoken.append(Heard(codes[0], recording.text))
        if (recording.seconds or 0.0) >= 2.0 and len(scored) < count:
            scored.append(
                {"file": recording.path.name}
                | _quality(tok, audio, codes, recording.band_edge, depths, with_pesq)
            )
    effective = perplexity(used)
    result = {
        "depths": depths,
        "mean": _means(scored, depths),
        "perplexity": round(float(effective.mean()), 1),
        "perplexities": [round(value, 1) for value in effective.tolist()],
        "recordings": len(scored),
    }
    if head is not None:
        result["text"] = {str(depth): text_loss(tok, head, spoken, depth) for depth in depths}
        result["text_recordings"] = len(spoken)
    return result | {"rows": scored}


def _quality(
    tok: CausalAudioTokenizer,
    audio: Tensor,
    codes: Tensor,
    band_edge: float | None,
    depths: Sequence[int],
    with_pesq: bool,
) -> dict[str, Any]:
    """Scores of one recording by number of codebooks; None where a metric refuses."""
    mel, rate = MelLoss(tok.sample_rate), tok.sample_rate
    scores: dict[str, Any] = {}
    for depth in depths:
        decoded = tok.decode(codes, depth)[0, :, : audio.shape[1]]
        edges = torch.tensor([math.inf if band_edge is None else band_edge])
        one: dict[str, float | None] = {"mel": float(mel(decoded[None], audio[None], edges))}
        one["stoi"] = _or_none(stoi, audio, decoded, rate)
        if with_pesq:
            one["pesq_wb"] = _or_none(pesq, audio, decoded, rate)
        scores[str(depth)] = one
    return scores


def score_cells(result: dict[str, Any]) -> list[str]:
    """STOI, PESQ-WB and mel distance of what `measure` gave, each by number of codebooks."""
    mean = [result["mean"][str(depth)] for depth in result["depths"]]
    return [
        " / ".join(f"{m[name]:.{digits}f}" if name in m else "-" for m in mean)
        for name, digits in (("stoi", 3), ("pesq_wb", 2), ("mel", 2))
    ]


def _or_none(metric: Any, audio: Tensor, decoded: Tensor, rate: int) -> float | None:
    try:
        return metric(audio, decoded, rate)
    except ValueError:
        return None


def _means(scored: list[dict[str, Any]], depths: Sequence[int]) -> dict[str, dict[str, float]]:
    """Per number of codebooks the mean of every score, over the recordings that have it."""
    means: dict[str, dict[str, float]] = {}
    for depth in map(str, depths):
        names = scored[0][depth] if scored else {}
        values = {n: [s[depth][n] for s in scored if s[depth][n] is not None] for n in names}
        means[depth] = {n: round(sum(v) / len(v), 4) for n, v in values.items() if v}
    return means


def text_cells(losses: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Own and, in brackets, foreign loss of `text_loss` by number of codebooks."""
    return [f"{loss['own']:.3f} ({loss['foreign']:.3f})" for loss in losses.values()]


def markdown(rows: Sequence[Sequence[object]]) -> str:
    """A table; the first row is the head."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n"


def write_json(path: Path, value: object) -> None:
    """Indented, with a line end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")

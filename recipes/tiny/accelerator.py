"""A run of `catok train` continued for minutes on a borrowed accelerator, and brought back.

Where the run is, with all its data:
    python -m recipes.tiny.accelerator pack --data data/tiny/train.jsonl --out pack --piece-mb 60 \
        --hours speech=3 music=0.7 sound=0.3
    python -m recipes.tiny.accelerator shrink --run runs/tiny --out pack --piece-mb 15
On the accelerator, with as many pieces as have come:
    python -m recipes.tiny.accelerator train --pack pack --out out --seconds 480 --piece-mb 15 \
        --set data.batch_size=512 optimizer.learning_rate=2e-3
Where the run is, with what came back:
    python -m recipes.tiny.accelerator grow --pack out --run runs/tiny

Needs torch, numpy, safetensors, soundfile and soxr there, no lhotse. The audio is decoded once and
lies on the device as int16; every crop is cut out there. `--seconds` are those of the whole command
from its first line: loading, compiling and writing are inside. The rate falls over the last quarter
of the time, to a fiftieth. Prints a JSON line every few seconds: losses, audio-seconds per second,
and the share of the device's measured matrix rate that the model's arithmetic uses.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recipes.tiny.packing import (
    RATE,
    Track,
    grow,
    pack_audio,
    read_pieces,
    shrink,
    unpack_audio,
    write_pieces,
)
from torch.utils.flop_counter import FlopCounterMode

from catok.training.codec.data.batch import Batch
from catok.training.codec.data.data_config import DataConfig
from catok.training.codec.learner import CodecLearner
from catok.training.codec.networks import build_codec_networks
from catok.training.codec.train_config import CodecTrainConfig, override_recipe
from catok.training.codec.trainer import publish_codec
from catok.training.engine.checkpoint import RunCheckpoint, load_run
from catok.training.engine.distributed import Group
from catok.training.engine.optim import scheduled_learning_rate

STATE = "state"
COOL, LAST_RATE = 0.75, 0.02  # from this share of the time the rate falls to this share


class DeviceCorpus:
    """Crops of tracks that lie on the device; each step's are a function of seed and step."""

    def __init__(
        self, tracks: Sequence[Track], config: DataConfig, device: torch.device, seed: int
    ) -> None:
        wanted = config.domain_weights or {track.domain: 1.0 for track in tracks}
        kept = [t for t in tracks if t.domain in wanted and t.band_edge >= config.min_band_edge]
        samples = round(config.crop_seconds * RATE)
        kept = [track for track in kept if len(track.audio) > samples]
        if not kept:
            raise ValueError("no track is as long as a crop and of a wanted domain")
        self.config, self.device, self.seed = config, device, seed
        self.audio = torch.from_numpy(np.concatenate([t.audio for t in kept])).to(device)
        lengths = torch.tensor([len(track.audio) for track in kept])
        self.starts = lengths.cumsum(0) - lengths
        self.room = lengths - samples
        self.edges = torch.tensor([track.band_edge for track in kept])
        hours: dict[str, int] = {}
        for track in kept:
            hours[track.domain] = hours.get(track.domain, 0) + len(track.audio)
        shares = [wanted[t.domain] * len(t.audio) / hours[t.domain] for t in kept]
        self.weights = torch.tensor(shares, dtype=torch.float64)
        self.hours = {domain: count / RATE / 3600 for domain, count in hours.items()}

    def batch(self, step: int, rows: int, frame_size: int) -> Batch:
        """`rows` crops, whole frames long."""
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        frames = max(1, round(self.config.crop_seconds * RATE / frame_size))
        length = frames * frame_size
        chosen = torch.multinomial(self.weights, rows, replacement=True, generator=draw)
        offsets = (torch.rand(rows, generator=draw, dtype=torch.float64) * self.room[chosen]).long()
        low, high = self.config.gain_db
        gains = 10 ** ((low + (high - low) * torch.rand(rows, generator=draw)) / 20)
        first = (self.starts[chosen] + offsets).to(self.device)
        place = first[:, None] + torch.arange(length, device=self.device)
        place = place.clamp(max=len(self.audio) - 1)
        audio = self.audio[place].float() / 32768 * gains.to(self.device)[:, None]
        audio = audio / audio.abs().amax(1, keepdim=True).clamp(min=1)
        return Batch(
            audio=audio[:, None],
            lengths=torch.full((rows,), length),
            band_edges=self.edges[chosen],
            texts=(None,) * rows,
            tasks=("asr",) * rows,
        )


def flops_per_second(learner: CodecLearner, batch: Batch) -> float:
    """Matrix arithmetic of one training step per second of audio, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        learner.is_finite([batch], 0)
    learner.optimizer.zero_grad(set_to_none=True)
    return counter.get_total_flops() / (batch.audio.shape[0] * batch.audio.shape[2] / RATE)


def matrix_rate(device: torch.device) -> float:
    """Floating-point operations per second of a large matrix product in bfloat16."""
    size = 8192 if device.type == "cuda" else 512
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    _settle(device)
    began = time.monotonic()
    for _ in range(10):
        a @ b
    _settle(device)
    return 10 * 2 * size**3 / (time.monotonic() - began)


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def share_of_rate(done: float) -> float:
    """Of the peak learning rate, by the share of the time that is gone."""
    return min(1.0, LAST_RATE + (1 - LAST_RATE) * max(0.0, (1 - done) / (1 - COOL)))


def restored(config: CodecTrainConfig, state: dict[str, Any], device: torch.device) -> CodecLearner:
    """The learner of a grown state, in its first stage, on the device."""
    torch.manual_seed(config.seed)
    learner = CodecLearner(config, build_codec_networks(config), Group(), device)
    learner.enter(config.stages[0])
    learner.load_state_dict(state)
    return learner


def train(args: argparse.Namespace, began: float) -> dict[str, Any]:
    """Go on for the rest of the time; writes OUT/state.* and returns the last line."""
    device = torch.device(args.device)
    state = grow(read_pieces(args.pack, STATE))
    was = CodecTrainConfig.from_dict(state["config"])
    stage = replace(was.stages[-1], steps=10_000_000)
    config = override_recipe(
        replace(was, stages=(stage,), autocast=True, compile=device.type == "cuda"),
        [*args.set, "optimizer.min_lr_ratio=1.0"],
    )
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "tokenizer.json").write_text(json.dumps(state["codec"]))
    config = replace(config, architecture=str(args.out / "tokenizer.json"), init_from=None)
    rate, first = matrix_rate(device), int(state["step"])
    plain = restored(replace(config, compile=False, accumulate=1), state, device)
    corpus = DeviceCorpus(
        unpack_audio(sorted(args.pack.glob("audio-*.tar"))), config.data, device, config.seed + 1
    )
    frame, rows = plain.codec.frame_size, config.data.batch_size
    needed = flops_per_second(plain, corpus.batch(0, min(2, rows), frame))
    learner = restored(config, state, device) if config.compile else plain
    loaded = time.monotonic()
    print(json.dumps({"hours": corpus.hours, "loaded_after": round(loaded - began, 1)}), flush=True)
    until, peak = began + args.seconds - args.reserve, config.optimizer.learning_rate
    step, heard, said, line = first, 0.0, loaded, {}
    while (now := time.monotonic()) < until:
        rate_now = peak * share_of_rate((now - loaded) / max(1e-9, until - loaded))
        learner.learning_rate = lambda step, now=rate_now: scheduled_learning_rate(
            step - first, stage.steps, config.optimizer, now
        )  # with a warm-up
        batches = [
            corpus.batch(step * config.accumulate + n, rows, frame)
            for n in range(config.accumulate)
        ]
        result = learner.step(batches, step)
        step += 1
        if not result.finite:
            print(json.dumps({"step": step, "finite": False}), flush=True)
            continue
        heard += config.accumulate * rows * batches[0].audio.shape[2] / RATE
        now = time.monotonic()
        if now - said > args.every or step == first + 1:
            speed = heard / (now - loaded)
            line = {"step": step, "seconds": round(now - began, 1)} | result.metrics
            line |= {
                "audio_per_second": round(speed, 1),
                "flop_share": round(speed * needed / rate, 4),
            }
            print(json.dumps(line), flush=True)
            said = now
    state = learner.state_dict() | {
        "step": step,
        "config": was.to_dict(),
        "codec": state["codec"],
        "accelerated": {"steps": step - first, "audio_hours": round(heard / 3600, 2)},
    }
    paths = write_pieces(shrink(state), args.out, STATE, int(args.piece_mb * 1e6))
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    last = line | state["accelerated"] | {"megabytes": round(megabytes, 1)}
    last |= {"seconds": round(time.monotonic() - began, 1), "device": str(device)}
    (args.out / "last.json").write_text(json.dumps(last))
    return last


def grow_back(args: argparse.Namespace) -> dict[str, Any]:
    """Make RUN/last.pt and RUN/model of what came back, for `catok train` to go on with."""
    state = grow(read_pieces(args.pack, STATE))
    config = CodecTrainConfig.from_dict(state["config"])
    learner = restored(config, state, torch.device("cpu"))
    accelerated = state.get("accelerated", {})
    args.run.mkdir(parents=True, exist_ok=True)
    RunCheckpoint(args.run, "codec", config, Group()).save(learner, int(state["step"]))
    publish_codec(learner, args.run / "model")
    return {"step": int(state["step"])} | accelerated


def hours_of(texts: Sequence[str]) -> dict[str, float]:
    """["speech=3"] -> {"speech": 3.0}. Raises ValueError on anything else."""
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        found[name] = float(number)
    return found


def pack(args: argparse.Namespace) -> dict[str, Any]:
    """Audio in pieces."""
    paths, skipped = pack_audio(
        args.data,
        args.out,
        hours=hours_of(args.hours),
        piece_bytes=int(args.piece_mb * 1e6),
        bitrate=args.bitrate,
    )
    sizes = {path.name: round(path.stat().st_size / 1e6, 1) for path in paths}
    return {"pieces": sizes, "skipped": skipped}


def shrink_run(args: argparse.Namespace) -> dict[str, Any]:
    """A run's last.pt in pieces."""
    state = load_run(args.run)
    if state is None:
        raise ValueError(f"{args.run} holds no last.pt")
    codec = build_codec_networks(CodecTrainConfig.from_dict(state["config"])).codec
    state["codec"] = codec.config.to_dict()
    paths = write_pieces(shrink(state), args.out, STATE, int(args.piece_mb * 1e6))
    return {path.name: round(path.stat().st_size / 1e6, 1) for path in paths}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: see the module's text."""
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True)

    def command(name: str, call: Any, about: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about)
        made.set_defaults(call=call)
        return made

    packing = command("pack", pack, "audio in pieces")
    packing.add_argument("--data", type=Path, nargs="+", required=True, help="manifests")
    packing.add_argument("--hours", nargs="+", required=True, help="DOMAIN=HOURS of each domain")
    packing.add_argument("--bitrate", type=int, default=32_000, help="of Opus (%(default)s)")
    shrinking = command("shrink", shrink_run, "a run's state in pieces")
    growing = command("grow", grow_back, "a run from pieces")
    growing.add_argument("--pack", type=Path, required=True, help="folder of the pieces")
    training = command("train", lambda args: train(args, began), "go on")
    training.add_argument("--pack", type=Path, required=True, help="folder of the pieces")
    training.add_argument("--seconds", type=float, required=True, help="of everything")
    training.add_argument("--reserve", type=float, default=20.0, help="seconds to write in")
    training.add_argument("--device", default="cuda", help="(%(default)s)")
    training.add_argument("--every", type=float, default=10.0, help="seconds between two lines")
    training.add_argument("--set", nargs="+", default=[], help="KEY=VALUE of the recipe")
    for each in (packing, shrinking, training):
        each.add_argument("--out", type=Path, required=True, help="folder to write to")
        each.add_argument("--piece-mb", type=float, required=True, help="largest piece")
    for each in (shrinking, growing):
        each.add_argument("--run", type=Path, required=True, help="folder of the run")
    args = parser.parse_args(arguments)
    print(json.dumps(args.call(args)), flush=True)


if __name__ == "__main__":
    main()

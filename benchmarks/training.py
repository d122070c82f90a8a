"""Speed of training: audio-seconds per second, and where the time of a step goes.

    python benchmarks/training.py --recipe recipes/tiny/train.toml --data data/tiny/train.jsonl

One process, one step after the other, after a warm-up. `--adversarial` adds the second stage's
discriminators. Shares are of the CPU time of single-threaded parts timed alone, on the same batch.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from common import machine, table, write_json
from torch import Tensor

from catok.training import CodecTrainer, MelLoss, TrainStage, load_recipe, read_cuts
from catok.training.codec.losses.adversarial import generator_loss
from catok.training.codec.losses.feature_matching import feature_matching_loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="recipes/tiny/train.toml")
    parser.add_argument("--data", required=True, help="manifest or folder")
    parser.add_argument("--set", nargs="*", default=[], help="changes to the recipe, KEY=VALUE")
    parser.add_argument("--adversarial", action="store_true")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", help="JSON file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = load_recipe(arguments.recipe, arguments.set)
    stage = TrainStage(10_000, adversarial=arguments.adversarial)
    config = replace(config, stages=(stage,))
    with tempfile.TemporaryDirectory() as folder:
        trainer = CodecTrainer(config, [(read_cuts(arguments.data), None)], [], folder)
        result = measure(trainer, arguments.steps)
    result |= {"recipe": arguments.recipe, "set": arguments.set, "threads": arguments.threads}
    result |= {"adversarial": arguments.adversarial, "machine": machine(arguments.threads)}
    rows = [(name, ms, result["share"][name]) for name, ms in result["milliseconds"].items()]
    print(f"{result['audio_seconds_per_second']} audio-seconds per second\n")
    print(table(("part", "ms per step", "share"), rows))
    write_json(arguments.out, result)


def measure(trainer: CodecTrainer, steps: int) -> dict:
    """Whole steps, then their parts, each the median of several runs."""
    stream = trainer.batches()
    for _ in range(3):
        trainer.train_step(next(stream))
    started, heard, reading = time.perf_counter(), 0.0, 0.0
    for _ in range(steps):
        before = time.perf_counter()
        batches = next(stream)
        reading += time.perf_counter() - before
        trainer.train_step(batches)
        heard += sum(b.audio.shape[0] * b.audio.shape[2] for b in batches)
    took = time.perf_counter() - started
    parts = {"data": reading / steps} | time_parts(trainer, batches[0].audio)
    step = took / steps
    parts["rest"] = step - sum(parts.values())
    return {
        "audio_seconds_per_second": round(heard / trainer.codec.sample_rate / took, 1),
        "seconds_per_step": round(step, 4),
        "milliseconds": {name: round(1000 * value, 1) for name, value in parts.items()},
        "share": {name: round(value / step, 3) for name, value in parts.items()},
    }


def time_parts(trainer: CodecTrainer, audio: Tensor) -> dict[str, float]:
    """Seconds that a step spends in each part, forward and backward, timed alone."""
    learner, codec = trainer.learner, trainer.codec
    casting = partial(torch.autocast, "cpu", torch.bfloat16, enabled=learner.config.autocast)
    with casting():
        latents = codec.encoder(codec.interleave(audio)).detach().float()
    made = audio + 0.01 * torch.randn_like(audio)
    mel_loss = MelLoss(codec.sample_rate, learner.config.mel)
    drawn = mel_loss.draw_scales()  # all scales are timed, and the drawn ones' share
    share = len(drawn) / len(learner.config.mel.windows)

    def run(module: Callable, data: Tensor) -> Callable[[], None]:
        def once() -> None:
            with casting():
                result = module(data)
            result.float().square().mean().backward()

        return once

    def quantize() -> None:
        result = codec.quantizer(latents.clone().requires_grad_())
        (result.latents.mean() + sum(result.losses.values())).backward()

    def mel() -> None:
        mel_loss(made.clone().requires_grad_(), audio).backward()

    parts = {
        "encoder": median(run(codec.encoder, codec.interleave(audio))),
        "quantizer": median(quantize),
        "decoder": median(run(codec.decoder, latents)),
        "mel loss": share * median(mel),
        "optimizer": median(learner.optimizer.step),
    }
    learner.optimizer.zero_grad()
    if learner.stage is not None and learner.stage.adversarial:
        parts["discriminators"] = median(lambda: judge_twice(trainer, made, audio, casting), 3)
    return parts


def judge_twice(trainer: CodecTrainer, made: Tensor, audio: Tensor, casting: Callable) -> None:
    """What a step does with the discriminators: once for the codec, once for themselves."""
    learner = trainer.learner
    discriminators, seconds = learner.discriminators, learner.config.gan.crop_seconds
    assert discriminators is not None
    span = slice(None if seconds is None else round(seconds * trainer.codec.sample_rate))
    fake = made[..., span].clone().requires_grad_()
    discriminators.requires_grad_(False)
    with casting():
        with torch.no_grad():
            real = discriminators(audio[..., span])
        features = discriminators(fake)
    (generator_loss(features) + feature_matching_loss(real, features)).backward()
    discriminators.requires_grad_(True)
    with casting():
        scores = discriminators(torch.cat([audio[..., span], fake.detach()]))
    torch.stack([maps[-1].float().square().mean() for maps in scores]).sum().backward()
    discriminators.zero_grad()


def median(work: Callable[[], object], runs: int = 9) -> float:
    """Seconds of the middle one of several runs."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return sorted(times)[runs // 2]


if __name__ == "__main__":
    main()

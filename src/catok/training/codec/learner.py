"""All networks of a run, their optimizers, and one step of training them."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor, nn

from catok.modules.codebook_usage import count_codes
from catok.training.codec.codebooks.dropout import draw_prefixes
from catok.training.codec.codebooks.revival import CodebookUsage, revive
from catok.training.codec.compiling import compile_codec
from catok.training.codec.config import TrainConfig, TrainStage
from catok.training.codec.data import Batch
from catok.training.codec.discriminators.ensemble import Discriminators
from catok.training.codec.gan import Adversary
from catok.training.codec.generator import Generated, Generator, weighted_sum
from catok.training.codec.networks import Networks
from catok.training.engine import distributed
from catok.training.engine.distributed import Group
from catok.training.engine.ema import RunningAverage
from catok.training.engine.optim import (
    clip_gradients,
    generator_optimizer,
    load_optimizer_state,
    make_room,
    optimizer_state,
    set_rate,
)
from catok.training.engine.saved import check_saved
from catok.training.engine.schedule import learning_rate


class Learner:
    """Networks on `device`, to be taken through the stages of a run.

    All processes of `group` call everything together.
    """

    def __init__(
        self, config: TrainConfig, networks: Networks, group: Group, device: torch.device
    ) -> None:
        self.config, self.group, self.device = config, group, device
        self.codec = networks.codec
        self.semantic = networks.semantic
        self.generator = Generator(networks.codec, networks.semantic, config).to(device).train()
        self.codec.checkpoint_activations(config.checkpoint_activations)
        if config.compile:
            compile_codec(self.codec, self._trial().to(device), autocast=config.autocast)
        distributed.broadcast(self.generator, group)
        if self.sharded:
            distributed.shard(self.generator, self.codec.quantizer, group, device)
        self.optimizer = generator_optimizer(self.generator, config.optimizer)
        self.adversary = (
            None if networks.judges is None else Adversary(config, networks.judges, group, device)
        )
        self.average = RunningAverage(self.codec, config.ema) if config.ema else None
        self.usage = CodebookUsage.empty(self.codec.quantizer)
        self.stage: TrainStage | None = None

    @property
    def judges(self) -> Discriminators | None:
        """The discriminators, if the recipe has an adversarial stage."""
        return None if self.adversary is None else self.adversary.judges

    @property
    def sharded(self) -> bool:
        """Whether the weights are spread over the processes."""
        return self.config.parallel == "fsdp" and self.group.world > 1

    def _trial(self) -> Tensor:
        """Noise of a first batch's shape: another one would be compiled for all over again."""
        data, size = self.config.data, self.codec.frame_size
        rows = self.config.stages[0].batch_size or data.batch_size
        frames = max(1, round(data.crop_seconds * self.codec.sample_rate / size))
        draw = torch.Generator().manual_seed(self.config.seed)
        return 0.1 * torch.randn(rows, self.codec.channels, frames * size, generator=draw)

    def averaged(self) -> AbstractContextManager[None]:
        """Within it the codec has its averaged weights, if there is an average."""
        return nullcontext() if self.average is None else self.average.applied(self.codec)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, besides its batches."""
        state: dict[str, Any] = {
            "generator": self.generator.state_dict(),
            "optimizer": optimizer_state(self.generator, self.optimizer),
            "usage": {"idle": self.usage.idle, "counts": self.usage.counts},
        }
        if self.adversary is not None:
            state |= self.adversary.state_dict()
        if self.average is not None:
            state["average"] = self.average.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave. Raises ValueError where the networks differ."""
        own = self.state_dict()
        if missing := sorted(set(own) - set(state)):
            raise ValueError(f"it has no {missing}: its recipe was another")
        check_saved(state["generator"], own["generator"], "the network")
        check_saved(state["usage"], own["usage"], "the use of codes")
        self.generator.load_state_dict(state["generator"])
        load_optimizer_state(self.generator, self.optimizer, state["optimizer"])
        if self.adversary is not None:
            self.adversary.load_state_dict(state)
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.usage.idle = state["usage"]["idle"].to(self.device)
        self.usage.counts = state["usage"]["counts"].to(self.device)

    def make_room(self, names: set[str]) -> None:
        """Have every running average that a sharded state, with these `names`, is to fill."""
        make_room(self.generator, self.optimizer, names, "optimizer")
        if self.adversary is not None:
            self.adversary.make_room(names)

    @contextmanager
    def measuring(self) -> Iterator[Generator]:
        """Within it the generator has its averaged weights, if any, and is in evaluation mode."""
        self.generator.eval()
        with self.averaged():
            yield self.generator
            distributed.put_away(self.generator)
        self.generator.train()

    def enter(self, stage: TrainStage) -> None:
        """Freeze and wrap the networks as the stage wants them."""
        self.stage = stage
        parts: dict[str, nn.Module | None] = {
            "encoder": self.codec.encoder,
            "quantizer": self.codec.quantizer,
            "decoder": self.codec.decoder,
            "semantic": self.semantic,
        }
        still = {*stage.freeze, *self._unreached(stage)}
        for name, part in parts.items():
            if part is not None:
                part.requires_grad_(name not in still)
        if not self.config.weights.codebook:
            for weight in self.codec.quantizer.codebook_weights:
                weight.requires_grad_(False)
        self._generator: nn.Module = self.generator
        if not self.sharded and self._learns:
            self._generator = distributed.replicate(self.generator, self.group, self.device)
        if self.adversary is not None:
            self.adversary.enter(stage.adversarial)

    @property
    def _learns(self) -> bool:
        """Whether the stage trains more than the discriminators."""
        return any(p.requires_grad for p in self.generator.parameters())

    def _unreached(self, stage: TrainStage) -> set[str]:
        """The parts that no loss of the stage has a gradient for, by their weights."""
        weights = self.config.weights
        judged = stage.adversarial and (weights.adversarial or weights.feature)
        heard = (
            weights.mel
            or weights.waveform
            or weights.compressed_spectrum
            or weights.weighted_waveform
            or judged
        )
        return {
            name
            for name, reached in (("decoder", heard), ("semantic", weights.semantic))
            if not reached
        }

    def step(self, batches: list[Batch], step: int, step_of_stage: int) -> dict[str, float]:
        """Learn from the micro-batches of one step; returns its losses and norms by name.

        Where one of those is not finite, on any process, the weights stay as they are and the
        result has the key "bad".
        """
        assert self.stage is not None
        shared = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        playing = step_of_stage % self.config.adversary.every == 0
        game = self.adversary if playing else None
        logged, made = self._gradients(batches, step, shared, game)
        if not all(map(math.isfinite, logged.values())):
            return logged | {"bad": 1.0}
        rate = learning_rate(step_of_stage, self.stage, self.config.optimizer)
        set_rate(self.optimizer, rate)
        self.optimizer.step()
        if game is not None and game.active:
            game.update(rate)
        moved = self._keep_codes_alive(made, shared)
        if self.average is not None:
            self.average.update(self.codec)
        return logged | {"learning_rate": rate, "revived": float(moved)}

    def is_sound(self, batches: list[Batch], step: int) -> bool:
        """Whether a step on these micro-batches would be finite; nothing is learnt from them."""
        shared = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            logged, _ = self._gradients(batches, step, shared, self.adversary)
        return all(map(math.isfinite, logged.values()))

    def _gradients(
        self, batches: list[Batch], step: int, shared: torch.Generator, game: Adversary | None
    ) -> tuple[dict[str, float], list[Generated]]:
        """Gradients of all networks; losses and norms by name, and what was generated."""
        if game is not None and not game.active:
            game = None
        config = self.config
        batches = [_moved(batch, self.device) for batch in batches]
        prefixes = self._prefixes(batches, step)
        scales = self.generator.draw_scales(shared)
        rate = self.codec.sample_rate
        spans = [] if game is None else [game.span(batch, rate, shared) for batch in batches]
        text_tokens = self._text_tokens(batches)

        self.optimizer.zero_grad(set_to_none=True)
        numbers: dict[str, Tensor] = {}
        made: list[Generated] = []
        for index, batch in enumerate(batches):
            with distributed.gather_gradients_at(self._generator, index == len(batches) - 1):
                with self._autocast():
                    result = self._generator(batch, prefixes[index], scales, text_tokens)
                losses = dict(result.losses)
                if self._learns and game is not None:
                    losses |= game.persuade(result, batch, spans[index])
                if self._learns:
                    losses["total"] = weighted_sum(losses, asdict(config.weights))
                    (losses["total"] / len(batches)).backward()
            _add(numbers, losses, 1 / len(batches))
            made.append(result.detached())
        if not self._learns:
            distributed.put_away(self.generator)
        elif self.sharded:
            distributed.average_gradients(self.codec.quantizer, self.group)
        for name, part in (("grad_norm", self.codec), ("semantic_grad_norm", self.semantic)):
            if part is not None:
                numbers[name] = clip_gradients(list(part.parameters()), config.optimizer.clip_norm)
        if game is not None:
            numbers |= game.judge(made, batches, spans)
        return self._agreed(numbers), made

    @torch.no_grad()
    def _keep_codes_alive(self, made: list[Generated], shared: torch.Generator) -> int:
        """Count which codes were used and revive the others; alike on every process."""
        assert self.stage is not None
        used = [
            count_codes(m.reconstruction.quantized.codes, m.mask, self.codec.codebook_size)
            for m in made
        ]
        self.usage.update(self.group.sum(torch.stack(used).sum(0)))
        if "quantizer" in self.stage.freeze:
            return 0

        def vectors() -> Tensor:
            projected = [(m.reconstruction.quantized.projected, m.mask) for m in made]
            rows = [p.permute(0, 3, 1, 2)[mask] for p, mask in projected if p is not None]
            return torch.cat([self.group.gather(own) for own in rows])  # [frames, K, d]

        return revive(self.codec.quantizer, vectors, self.usage, self.config.revival, shared)

    def _prefixes(self, batches: list[Batch], step: int) -> list[Tensor]:
        """Codebooks per row of every micro-batch: this process's share of a draw for all rows."""
        draw = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step + 1_000_000_000)
        drawn = []
        for batch in batches:
            rows = batch.audio.shape[0]
            everyone = draw_prefixes(
                self.config.quantizer_dropout,
                rows * self.group.world,
                self.codec.num_quantizers,
                draw,
            )
            drawn.append(everyone.chunk(self.group.world)[self.group.rank].to(self.device))
        return drawn

    def _text_tokens(self, batches: list[Batch]) -> float:
        """The mean number of text tokens per micro-batch, over all processes."""
        if self.semantic is None:
            return 0.0
        own = sum(self.semantic.count_tokens(batch.texts) for batch in batches)
        everyone = self.group.sum(torch.tensor(float(own), device=self.device))
        return float(everyone) / (self.group.world * len(batches))

    def _agreed(self, numbers: dict[str, Tensor]) -> dict[str, float]:
        """The processes' mean of every number; NaN anywhere is NaN everywhere."""
        values = torch.stack([value.float().to(self.device) for value in numbers.values()])
        return dict(zip(numbers, self.group.mean(values).tolist(), strict=True))

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.autocast)


def _moved(batch: Batch, device: torch.device) -> Batch:
    """The batch's audio and band edges on the device; lengths stay where the text is made up."""
    return replace(
        batch,
        audio=batch.audio.to(device, non_blocking=True),
        band_edges=batch.band_edges.to(device, non_blocking=True),
    )


def _add(numbers: dict[str, Tensor], more: dict[str, Tensor], share: float) -> None:
    for name, value in more.items():
        numbers[name] = numbers.get(name, 0.0) + share * value.detach()

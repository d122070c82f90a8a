"""Adversarial training: discriminators and the losses of both sides (paper section 3)."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from catok.training.codec.data import Batch
from catok.training.codec.discriminators.ensemble import Discriminators
from catok.training.codec.generator import GeneratorOutput
from catok.training.codec.losses.adversarial import generator_loss, pair_loss
from catok.training.codec.losses.feature_matching import feature_matching_loss
from catok.training.codec.train_config import CodecTrainConfig
from catok.training.engine import distributed
from catok.training.engine.distributed import Group
from catok.training.engine.optim import (
    allocate_optimizer_state,
    build_optimizer,
    clip_gradients,
    load_optimizer_state,
    optimizer_state,
    set_learning_rate,
)
from catok.training.engine.saved import check_saved

PREFIX = "discriminators."  # of its parameters' names, for groups of the optimizer


class GanTrainer:
    """Discriminators on `device` and their optimizer. `active` in adversarial stages only."""

    def __init__(
        self,
        config: CodecTrainConfig,
        discriminators: Discriminators,
        group: Group,
        device: torch.device,
    ) -> None:
        self.config, self.group, self.device = config, group, device
        self.discriminators = discriminators.to(device)
        distributed.broadcast(self.discriminators, group)
        named = [(PREFIX + name, p) for name, p in self.discriminators.named_parameters()]
        self.optimizer = build_optimizer(named, config.optimizer, lambda name, parameter: False)
        self._wrapped: nn.Module | None = None

    @property
    def active(self) -> bool:
        """Whether the stage is adversarial."""
        return self._wrapped is not None

    def set_active(self, active: bool) -> None:
        """Begin or end adversarial training."""
        self._wrapped = None
        if active:
            self.discriminators.requires_grad_(True)
            self._wrapped = distributed.wrap_ddp(self.discriminators, self.group, self.device)

    def crop(self, batch: Batch, sample_rate: int, rng: torch.Generator) -> slice:
        """The samples of a batch that discriminators see, drawn alike on every process."""
        seconds, total = self.config.gan.crop_seconds, batch.audio.shape[2]
        length = total if seconds is None else round(seconds * sample_rate)
        place = float(torch.rand((), generator=rng))
        first = round(place * max(0, total - length))
        return slice(first, min(total, first + length))

    def generator_losses(
        self, output: GeneratorOutput, batch: Batch, crop: slice
    ) -> dict[str, Tensor]:
        """Adversarial and feature-matching losses of the generator, those with a weight; the
        discriminators' parameters are frozen.
        """
        weights = self.config.weights
        if not weights["adversarial"] and not weights["feature"]:
            return {}
        self.discriminators.requires_grad_(False)
        with self._autocast():
            with torch.no_grad():
                real = self.discriminators(batch.audio[..., crop])
            fake = self.discriminators(output.reconstruction.audio[..., crop])
        self.discriminators.requires_grad_(True)
        losses: dict[str, Tensor] = {}
        if weights["adversarial"]:
            losses["adversarial"] = generator_loss(fake)
        if weights["feature"]:
            losses["feature"] = feature_matching_loss(real, fake, self.group.mean)
        return losses

    def discriminator_backward(
        self, outputs: list[GeneratorOutput], batches: list[Batch], crops: list[slice]
    ) -> dict[str, Tensor]:
        """Gradients of the discriminators' own loss; returns it and their norm by name."""
        assert self._wrapped is not None
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        for index, (output, batch, crop) in enumerate(zip(outputs, batches, crops, strict=True)):
            pair = torch.cat([batch.audio[..., crop], output.reconstruction.audio[..., crop]])
            with distributed.sync_gradients_if(self._wrapped, index == len(batches) - 1):
                with self._autocast():
                    maps = self._wrapped(pair)
                loss = pair_loss(maps)
                (loss / len(batches)).backward()
            total += loss.detach() / len(batches)
        norm = clip_gradients(self._wrapped.parameters(), self.config.optimizer.max_grad_norm)
        return {"discriminator": total, "discriminator_grad_norm": norm}

    def step(self, learning_rate: float) -> None:
        """Update the discriminators; `learning_rate` is the scheduled one."""
        set_learning_rate(self.optimizer, learning_rate)
        self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Weights and the optimizer's state."""
        return {
            "discriminators": self.discriminators.state_dict(),
            "discriminator_optimizer": optimizer_state(self.discriminators, self.optimizer),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave. Raises ValueError where the networks differ."""
        current = self.discriminators.state_dict()
        check_saved(state["discriminators"], current, "the discriminator")
        self.discriminators.load_state_dict(state["discriminators"])
        saved = state["discriminator_optimizer"]
        load_optimizer_state(self.discriminators, self.optimizer, saved)

    def allocate_state(self, names: set[str]) -> None:
        """As `BaseLearner.allocate_state`."""
        key = "discriminator_optimizer"
        allocate_optimizer_state(self.discriminators, self.optimizer, names, key)

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.autocast)

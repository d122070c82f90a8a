"""The other side of the game: discriminators that learn while they judge (paper section 3)."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from catok.training.codec.config import TrainConfig
from catok.training.codec.data import Batch
from catok.training.codec.discriminators.ensemble import Discriminators
from catok.training.codec.generator import Generated
from catok.training.codec.losses.adversarial import generator_loss, pair_loss
from catok.training.codec.losses.feature_matching import feature_matching_loss
from catok.training.engine import distributed
from catok.training.engine.distributed import Group
from catok.training.engine.optim import (
    clip_gradients,
    discriminator_optimizer,
    load_optimizer_state,
    make_room,
    optimizer_state,
    set_rate,
)
from catok.training.engine.saved import check_saved


class Adversary:
    """Discriminators on `device` and their optimizer. `active` in adversarial stages only."""

    def __init__(
        self, config: TrainConfig, judges: Discriminators, group: Group, device: torch.device
    ) -> None:
        self.config, self.group, self.device = config, group, device
        self.judges = judges.to(device)
        distributed.broadcast(self.judges, group)
        self.optimizer = discriminator_optimizer(self.judges, config.optimizer)
        self._wrapped: nn.Module | None = None

    @property
    def active(self) -> bool:
        """Whether the game is on."""
        return self._wrapped is not None

    def enter(self, active: bool) -> None:
        """Begin or end the game."""
        self._wrapped = None
        if active:
            self.judges.requires_grad_(True)
            self._wrapped = distributed.replicate(self.judges, self.group, self.device)

    def span(self, batch: Batch, sample_rate: int, shared: torch.Generator) -> slice:
        """The samples of a batch that are judged, drawn alike on every process."""
        seconds, total = self.config.adversary.crop_seconds, batch.audio.shape[2]
        wanted = total if seconds is None else round(seconds * sample_rate)
        place = float(torch.rand((), generator=shared))
        first = round(place * max(0, total - wanted))
        return slice(first, min(total, first + wanted))

    def persuade(self, made: Generated, batch: Batch, span: slice) -> dict[str, Tensor]:
        """The generator's losses by name; the discriminators do not learn from them."""
        weights = self.config.weights
        if not weights.adversarial and not weights.feature:
            return {}
        self.judges.requires_grad_(False)
        with self._autocast():
            with torch.no_grad():
                real = self.judges(batch.audio[..., span])
            fake = self.judges(made.reconstruction.audio[..., span])
        self.judges.requires_grad_(True)
        losses: dict[str, Tensor] = {}
        if weights.adversarial:
            losses["adversarial"] = generator_loss(fake)
        if weights.feature:
            losses["feature"] = feature_matching_loss(real, fake, self.group.mean)
        return losses

    def judge(
        self, made: list[Generated], batches: list[Batch], spans: list[slice]
    ) -> dict[str, Tensor]:
        """Gradients of the discriminators' own loss; returns it and their norm by name."""
        assert self._wrapped is not None
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        for index, (result, batch, span) in enumerate(zip(made, batches, spans, strict=True)):
            pair = torch.cat([batch.audio[..., span], result.reconstruction.audio[..., span]])
            with distributed.gather_gradients_at(self._wrapped, index == len(batches) - 1):
                with self._autocast():
                    maps = self._wrapped(pair)
                loss = pair_loss(maps)
                (loss / len(batches)).backward()
            total += loss.detach() / len(batches)
        parameters = list(self._wrapped.parameters())
        norm = clip_gradients(parameters, self.config.optimizer.clip_norm)
        return {"discriminator": total, "discriminator_grad_norm": norm}

    def update(self, rate: float) -> None:
        """Move along the gradients; `rate` is the scheduled learning rate."""
        set_rate(self.optimizer, rate)
        self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Weights, and running averages of the optimizer."""
        return {
            "judges": self.judges.state_dict(),
            "judge_optimizer": optimizer_state(self.judges, self.optimizer),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave. Raises ValueError where the networks differ."""
        check_saved(state["judges"], self.judges.state_dict(), "the discriminator")
        self.judges.load_state_dict(state["judges"])
        load_optimizer_state(self.judges, self.optimizer, state["judge_optimizer"])

    def make_room(self, names: set[str]) -> None:
        """As `Learner.make_room`."""
        make_room(self.judges, self.optimizer, names, "judge_optimizer")

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.autocast)

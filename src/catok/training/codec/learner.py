"""One step of training a codec, with or without discriminators and a semantic head."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from catok.modules.codebook_usage import count_codes
from catok.training.codec.codebooks.quantizer_dropout import draw_prefixes
from catok.training.codec.codebooks.revival import CodebookUsage, revive
from catok.training.codec.data import Batch
from catok.training.codec.discriminators.ensemble import Discriminators
from catok.training.codec.gan import PREFIX, GanTrainer
from catok.training.codec.generator import Generator, GeneratorOutput, weighted_sum
from catok.training.codec.networks import CodecNetworks, compile_codec
from catok.training.codec.train_config import CodecTrainConfig, TrainStage
from catok.training.engine import distributed
from catok.training.engine.distributed import Group
from catok.training.engine.learner import BaseLearner
from catok.training.engine.optim import check_groups, clip_gradients, scheduled_learning_rate
from catok.training.engine.saved import check_saved


@dataclass
class CodecStepContext:
    """What the micro-batches of a step share.

    `rng`: in the same state on every process. `prefixes`: codebooks per row `[B]` of every
    micro-batch; `choices`: of losses; `crops`: what discriminators see of each;
    `text_tokens`: mean number per micro-batch, over all processes; `gan`: None where the step is
    not adversarial. `outputs` are filled in on the way.
    """

    batches: list[Batch]
    rng: torch.Generator
    prefixes: list[Tensor]
    choices: dict[str, Any]
    crops: list[slice]
    text_tokens: float
    gan: GanTrainer | None
    outputs: list[GeneratorOutput] = field(default_factory=list)


class CodecLearner(BaseLearner[Batch, CodecStepContext]):
    """Codec, semantic head and discriminators on `device`, to be taken through a run's stages.

    All processes of `group` call everything together.
    """

    module: Generator

    def __init__(
        self, config: CodecTrainConfig, networks: CodecNetworks, group: Group, device: torch.device
    ) -> None:
        self.config = config
        self.codec, self.semantic = networks.codec, networks.semantic
        generator = Generator(networks.codec, networks.semantic, config)
        super().__init__(
            config, config.optimizer, generator, group, device, averaged=networks.codec
        )
        self.gan = (
            None
            if networks.discriminators is None
            else GanTrainer(config, networks.discriminators, group, device)
        )
        names = [name for name, _ in self.module.named_parameters()]
        if self.discriminators is not None:
            names += [PREFIX + name for name, _ in self.discriminators.named_parameters()]
        check_groups(config.optimizer, names)
        self.usage = CodebookUsage.empty(self.codec.quantizer)
        self.stage: TrainStage | None = None

    @property
    def generator(self) -> Generator:
        """Codec, semantic head and their losses, whether wrapped or not."""
        return self.module

    @property
    def discriminators(self) -> Discriminators | None:
        """The discriminators, if the recipe has an adversarial stage."""
        return None if self.gan is None else self.gan.discriminators

    def prepare(self) -> None:
        """Checkpoint activations and compile, where the recipe wants that."""
        self.codec.checkpoint_activations(self.config.checkpoint_activations)
        if self.config.compile:
            example = self._example_audio().to(self.device)
            compile_codec(self.codec, example, autocast=self.config.autocast)

    def apply_fsdp(self) -> None:
        """Shard all but the quantizer, because its codes must agree to the bit."""
        distributed.apply_fsdp(
            self.module,
            self.group,
            self.device,
            whole=list(self.codec.quantizer.parameters()),
            forward_methods=("reconstruct", "read"),
        )

    def decays(self, name: str, parameter: nn.Parameter) -> bool:
        """Matrices decay, but for the quantizer's."""
        return parameter.dim() == 2 and ".quantizer." not in name

    def learning_rate(self, step: int) -> float:
        """Of the stage that was entered, in which it begins anew."""
        assert self.stage is not None
        _, step_of_stage = self.config.stage_at(step)
        return scheduled_learning_rate(
            step_of_stage, self.stage.steps, self.config.optimizer, self.stage.learning_rate
        )

    def enter(self, stage: TrainStage) -> None:
        """Freeze and wrap the networks as the stage wants them."""
        self.stage = stage
        parts: dict[str, nn.Module | None] = {
            "encoder": self.codec.encoder,
            "quantizer": self.codec.quantizer,
            "decoder": self.codec.decoder,
            "semantic": self.semantic,
        }
        frozen = {*stage.freeze, *self._parts_without_loss(stage)}
        for name, part in parts.items():
            if part is not None:
                part.requires_grad_(name not in frozen)
        if not self.config.weights["codebook"]:
            for weight in self.codec.quantizer.codebook_weights:
                weight.requires_grad_(False)
        self.wrapped = self.module
        if not self.sharded and self._trains_generator:
            self.wrapped = distributed.wrap_ddp(self.module, self.group, self.device)
        if self.gan is not None:
            self.gan.set_active(stage.adversarial)

    def context(self, batches: list[Batch], step: int, trial: bool = False) -> CodecStepContext:
        """The step's random choices, alike on every process; a trial is always adversarial where
        the stage is.
        """
        rng = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        _, step_of_stage = self.config.stage_at(step)
        is_turn = trial or step_of_stage % self.config.gan.every == 0
        gan = self.gan if self.gan is not None and self.gan.active and is_turn else None
        choices = self.module.draw(rng)
        sample_rate = self.codec.sample_rate
        return CodecStepContext(
            batches=batches,
            rng=rng,
            prefixes=self._prefixes(batches, step),
            choices=choices,
            crops=[] if gan is None else [gan.crop(b, sample_rate, rng) for b in batches],
            text_tokens=self._text_tokens(batches),
            gan=gan,
        )

    def losses(
        self, batch: Batch, index: int, context: CodecStepContext
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """The weighted sum of all losses with a weight, and they by name."""
        with self.autocast():
            prefixes = context.prefixes[index]
            output = self.wrapped(batch, prefixes, context.choices, context.text_tokens)
        losses, total = dict(output.losses), None
        if self._trains_generator:
            if context.gan is not None:
                losses |= context.gan.generator_losses(output, batch, context.crops[index])
            total = weighted_sum(losses, self.config.weights)
            losses["total"] = total
        context.outputs.append(output.detached())
        return total, losses

    def sync_gradients(self) -> None:
        """Average what FSDP left whole, or free what it gathered for no gradients."""
        if not self._trains_generator:
            distributed.reshard(self.module)
        elif self.sharded:
            distributed.average_gradients(self.codec.quantizer.parameters(), self.group)

    def clip(self) -> dict[str, Tensor]:
        """Codec and semantic head each by itself."""
        parts = {"grad_norm": self.codec, "semantic_grad_norm": self.semantic}
        largest = self.config.optimizer.max_grad_norm
        return {
            name: clip_gradients(part.parameters(), largest)
            for name, part in parts.items()
            if part is not None
        }

    def more_gradients(self, context: CodecStepContext) -> dict[str, Tensor]:
        """Those of the discriminators."""
        if context.gan is None:
            return {}
        return context.gan.discriminator_backward(context.outputs, context.batches, context.crops)

    def after_update(self, context: CodecStepContext, learning_rate: float) -> dict[str, float]:
        """Update the discriminators and the codebooks."""
        if context.gan is not None:
            context.gan.step(learning_rate)
        return {"revived": float(self._update_and_revive_codebooks(context))}

    def extra_state(self) -> dict[str, Any]:
        """Use of the codebooks, and the discriminators."""
        usage = {"idle": self.usage.idle, "counts": self.usage.counts}
        return {"usage": usage} | ({} if self.gan is None else self.gan.state_dict())

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Take back `extra_state`. Raises ValueError where it does not fit."""
        check_saved(state["usage"], self.extra_state()["usage"], "the use of codes")
        self.usage.idle = state["usage"]["idle"].to(self.device)
        self.usage.counts = state["usage"]["counts"].to(self.device)
        if self.gan is not None:
            self.gan.load_state_dict(state)

    def allocate_state(self, names: set[str]) -> None:
        """For a sharded checkpoint of these `names`."""
        super().allocate_state(names)
        if self.gan is not None:
            self.gan.allocate_state(names)

    @property
    def _trains_generator(self) -> bool:
        """Whether the stage trains more than the discriminators."""
        return any(p.requires_grad for p in self.module.parameters())

    def _parts_without_loss(self, stage: TrainStage) -> set[str]:
        """The parts that no loss of the stage has a gradient for, by their weights."""
        weights = self.config.weights
        of_audio = [*self.module.losses, *(("adversarial", "feature") if stage.adversarial else ())]
        has_loss = {
            "decoder": any(weights[name] for name in of_audio),
            "semantic": weights["semantic"],
        }
        return {name for name, reached in has_loss.items() if not reached}

    @torch.no_grad()
    def _update_and_revive_codebooks(self, context: CodecStepContext) -> int:
        """Count which codes were used and revive the others; alike on every process."""
        assert self.stage is not None
        outputs = context.outputs
        used = [
            count_codes(out.reconstruction.quantized.codes, out.mask, self.codec.codebook_size)
            for out in outputs
        ]
        self.usage.update(self.group.sum(torch.stack(used).sum(0)))
        if "quantizer" in self.stage.freeze:
            return 0

        def vectors() -> Tensor:
            """Every codebook's input `[frames, K, d]`, of all processes."""
            projected = [(out.reconstruction.quantized.projected, out.mask) for out in outputs]
            rows = [p.permute(0, 3, 1, 2)[mask] for p, mask in projected if p is not None]
            return torch.cat([self.group.gather(local) for local in rows])

        return revive(self.codec.quantizer, vectors, self.usage, self.config.revival, context.rng)

    def _prefixes(self, batches: list[Batch], step: int) -> list[Tensor]:
        """Codebooks per row of every micro-batch: this process's share of a draw for all rows."""
        rng = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step + 1_000_000_000)
        prefixes = []
        for batch in batches:
            everyone = draw_prefixes(
                self.config.quantizer_dropout,
                batch.audio.shape[0] * self.group.world_size,
                self.codec.num_quantizers,
                rng,
            )
            local = everyone.chunk(self.group.world_size)[self.group.rank]
            prefixes.append(local.to(self.device))
        return prefixes

    def _text_tokens(self, batches: list[Batch]) -> float:
        """The mean number of text tokens per micro-batch, over all processes."""
        if self.semantic is None:
            return 0.0
        local = sum(self.semantic.count_tokens(batch.texts) for batch in batches)
        everyone = self.group.sum(torch.tensor(float(local), device=self.device))
        return float(everyone) / (self.group.world_size * len(batches))

    def _example_audio(self) -> Tensor:
        """Noise of a first batch's shape: another one would be compiled for all over again."""
        data, size = self.config.data, self.codec.frame_size
        rows = self.config.stages[0].batch_size or data.batch_size
        frames = max(1, round(data.crop_seconds * self.codec.sample_rate / size))
        rng = torch.Generator().manual_seed(self.config.seed)
        return 0.1 * torch.randn(rows, self.codec.channels, frames * size, generator=rng)

    def to_device(self, batch: Batch) -> Batch:
        """Audio and band edges on the device; lengths stay where the text is made up."""
        return replace(
            batch,
            audio=batch.audio.to(self.device, non_blocking=True),
            band_edges=batch.band_edges.to(self.device, non_blocking=True),
        )

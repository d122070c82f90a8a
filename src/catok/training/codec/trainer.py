"""A run of a codec: stages, a first fit to the data, and what it logs and publishes."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch

from catok.tokenizer.checkpoint import DISCRIMINATORS, SEMANTIC, save_folder
from catok.training.codec.data import Batch, BatchSource, Corpora, check_text, open_source
from catok.training.codec.init_from_data import initialize_from_audio
from catok.training.codec.learner import CodecLearner
from catok.training.codec.networks import CodecNetworks, build_codec_networks
from catok.training.codec.train_config import CodecTrainConfig
from catok.training.codec.validation import Validator
from catok.training.engine.checkpoint import Kind
from catok.training.engine.distributed import Group, full_state_dict
from catok.training.engine.learner import StepResult
from catok.training.engine.logging import RunLog
from catok.training.engine.throughput import Processed
from catok.training.engine.trainer import BaseTrainer, Report

FIRST_CROPS = 24  # batches that a new codec's first weights are taken from,
FIRST_SECONDS = 400  # of no more audio than this, or large batches would not fit into memory


class CodecTrainer(BaseTrainer[Batch, CodecLearner]):
    """Trains a tokenizer in `folder`; see `BaseTrainer`.

    `train` and `valid`: corpora as `open_source` takes them. Raises ValueError on bad
    configurations, data and folders.
    """

    kind: ClassVar[Kind] = "codec"

    def __init__(
        self,
        config: CodecTrainConfig,
        train: Corpora,
        valid: Corpora,
        folder: str | Path,
        *,
        device: str | torch.device = "cpu",
        group: Group | None = None,
        report: Report = lambda line: None,
    ) -> None:
        if config.semantic is not None and config.weights["semantic"]:
            check_text(train)
        self.config, self.train, self.valid, self._stage = config, train, valid, -1
        super().__init__(
            config,
            config.steps,
            folder,
            num_workers=config.data.workers,
            device=device,
            group=group,
            report=report,
        )

    def build_learner(self, is_resumed: bool) -> CodecLearner:
        """The networks that the recipe names; a new codec is fitted to its training audio."""
        torch.manual_seed(self.config.seed)
        networks = build_codec_networks(self.config)
        self.codec = networks.codec
        if networks.is_new and self.config.initialize != "random" and not is_resumed:
            self._initialize(networks)
        return CodecLearner(self.config, networks, self.group, self.device)

    def build_validator(self) -> Validator | None:
        """On the validation corpora, if there are any."""
        if not self.valid:
            return None
        return Validator(self.learner, self._open(self.valid, self.config.data.batch_size))

    def enter_stage(self) -> None:
        """Freeze, wrap and open the data as the current step's stage wants it."""
        index, _ = self.config.stage_at(self.step)
        if index != self._stage:
            self._stage = index
            stage = self.config.stages[index]
            self.learner.enter(stage)
            self._source = self._open(self.train, stage.batch_size or self.config.data.batch_size)

    def stage_end(self) -> int:
        """The step with which the next stage begins."""
        index, done = self.config.stage_at(self.step)
        return self.step + self.config.stages[index].steps - done

    def requests(self, step: int) -> list[Callable[[], Batch]]:
        """What to read is chosen here, in order; reading may be done in threads."""
        first, source = step * self.config.accumulate, self._source
        numbers = range(first, first + self.config.accumulate)
        return [partial(source.read, source.requests(number)) for number in numbers]

    def throughput_of(self, batches: list[Batch]) -> Processed:
        """Seconds of audio."""
        samples = sum(batch.audio.shape[0] * batch.audio.shape[2] for batch in batches)
        return {"audio": samples / self.codec.sample_rate}, {}

    def log_metrics(self, result: StepResult) -> dict[str, Any]:
        """The losses, the stage from 1 up, and the perplexity of every codebook."""
        perplexity = self.learner.usage.rounded_perplexity()
        return {"stage": self._stage + 1} | result.metrics | {"perplexity": perplexity}

    def after_validation(self, log: RunLog) -> None:
        """Audio, spectrograms and use of the codebooks."""
        assert isinstance(self.validator, Validator)
        examples, counts = self.validator.examples, self.learner.usage.counts
        log.show(self.step, examples, self.codec.sample_rate, counts)

    def publish(self, folder: Path) -> None:
        """Write the codec."""
        publish_codec(self.learner, folder)

    def finish(self) -> None:
        """Write discriminators and semantic head beside it."""
        publish_companions(self.learner, self.folder / "model")

    def describe_data(self) -> dict[str, Any]:
        """Hours by domain, empty of streams."""
        hours = {domain: round(hours, 3) for domain, hours in self._source.hours.items()}
        return {"hours": hours, "parameters": sum(p.numel() for p in self.codec.parameters())}

    def _open(self, corpora: Corpora, batch_size: int, seed: int | None = None) -> BatchSource:
        return open_source(
            replace(self.config.data, batch_size=batch_size),
            corpora,
            sample_rate=self.codec.sample_rate,
            channels=self.codec.channels,
            frame_size=self.codec.frame_size,
            seed=self.config.seed if seed is None else seed,
            rank=self.group.rank,
            world=self.group.world_size,
        )

    def _initialize(self, networks: CodecNetworks) -> None:
        """Begin a new codec on the training audio of all processes."""
        source = self._open(self.train, self.config.data.batch_size, self.config.seed + 1)
        rng = torch.Generator().manual_seed(self.config.seed)
        crops, seconds = [], 0.0
        for step in range(FIRST_CROPS):
            audio = source.batch(step).audio
            length = self.group.all_reduce_min(audio.shape[2], audio.device)
            crops.append(self.group.gather(audio[..., :length]))
            seconds += crops[-1].shape[0] * crops[-1].shape[2] / self.codec.sample_rate
            if seconds > FIRST_SECONDS:
                break
        shortest = min(crop.shape[2] for crop in crops)
        initialize_from_audio(
            networks.codec,
            torch.cat([crop[..., :shortest] for crop in crops]),
            rng,
            principal=self.config.initialize == "principal",
        )


def publish_codec(learner: CodecLearner, folder: Path) -> None:
    """Write the codec as `from_pretrained` reads it; with a moving average, the average."""
    with learner.ema_weights():
        tensors = full_state_dict(learner.codec)
    if learner.group.is_main:
        save_folder(folder, learner.codec.config, tensors)
    learner.group.barrier()


def publish_companions(learner: CodecLearner, folder: Path) -> None:
    """Write discriminators and semantic head below a model, for whoever fine-tunes it."""
    is_main = learner.group.is_main
    if learner.discriminators is not None and is_main:
        learner.discriminators.save_pretrained(folder / DISCRIMINATORS)
    if learner.semantic is not None:
        tensors = full_state_dict(learner.semantic)
        if is_main:
            learner.semantic.save_pretrained(folder / SEMANTIC, tensors)
    learner.group.barrier()

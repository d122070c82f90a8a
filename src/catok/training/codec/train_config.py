"""What a training run is: one frozen dataclass, read from a recipe, saved with every checkpoint."""

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import ClassVar, Literal

from catok.training.codec.codebooks.quantizer_dropout import DropoutConfig
from catok.training.codec.codebooks.revival import RevivalConfig
from catok.training.codec.data.data_config import DataConfig
from catok.training.codec.losses.base import LossConfig
from catok.training.codec.losses.compressed_spectrum import CompressedSpectrumConfig
from catok.training.codec.losses.mel import MelLossConfig
from catok.training.codec.losses.waveform import WaveformLossConfig
from catok.training.codec.losses.weighted_waveform import WeightedWaveformConfig
from catok.training.codec.semantic.semantic_config import SemanticConfig
from catok.training.engine.recipe import overridden, read_recipe
from catok.training.engine.run_config import OptimizerConfig, RunConfig

FREEZABLE = ("encoder", "quantizer", "decoder", "semantic")


WEIGHTS = {
    "mel": 15.0,
    "codebook": 1.0,
    "commitment": 0.25,
    "waveform": 0.0,
    "compressed_spectrum": 0.0,
    "weighted_waveform": 0.0,
    "semantic": 20.0,
    "adversarial": 1.0,
    "feature": 2.0,
}
"""The default weight of every loss (paper section 3); those of 0 are no part of the paper."""


@dataclass(frozen=True)
class GanConfig:
    """Adversarial training. `discriminators`: a preset's name, or a folder of published ones to go
    on with.

    `crop_seconds`: they see a random crop of this length of every row (None: all of it).
    `every`: in adversarial stages they take part in one step of so many.
    """

    discriminators: str = "full"
    crop_seconds: float | None = None
    every: int = 1

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"gan.every must be at least 1, got {self.every}")


@dataclass(frozen=True)
class TrainStage:
    """One stage of a run (paper section 5): `steps` of it, with discriminators or without.

    `freeze`: which of "encoder", "quantizer", "decoder" and "semantic" stay as they are; all of
    them only where the stage is adversarial: then the discriminators learn alone.
    `batch_size` and `learning_rate` replace the run's own.
    """

    steps: int
    adversarial: bool = False
    freeze: tuple[str, ...] = ()
    batch_size: int | None = None
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"a stage needs at least 1 step, got {self.steps}")
        unknown = sorted(set(self.freeze) - set(FREEZABLE))
        if unknown:
            raise ValueError(f"cannot freeze {unknown}; there are {list(FREEZABLE)}")


@dataclass(frozen=True)
class CodecTrainConfig(RunConfig):
    """A run that trains an audio tokenizer.

    `architecture`: a new codec, with random weights: a preset's name or a JSON file of
    `TokenizerConfig`'s keys. `init_from`: a trained codec to go on with instead, which has an
    architecture of its own: the name of an embedded one, a folder or a hub id.
    `semantic`: the language model that reads the latents; None: no text.
    `initialize`: a new codec's first projections and codes from its training audio
    (`training/codec/init_from_data.py`), by "principal" components or "orthogonal" random
    directions; or everything "random".
    `compile`: torch.compile, if it works here.
    `weights`: of the losses by name; 0 leaves a loss out. "codebook" and "commitment" are the
    quantizer's, others have a table of settings of the same name, and "python=module:Class" is a
    loss from outside. What is not named keeps its default.
    Under `autocast` the quantizer stays float32. The learning rate begins anew in every stage.
    """

    renamed: ClassVar[dict[str, str]] = {
        "tokenizer": 'architecture = "tiny" is a new codec with random weights, '
        'init_from = "tiny" a trained one to go on with',
        "initialise": "it is initialize",
        "adversary": "it is gan",
    }

    stages: tuple[TrainStage, ...]
    architecture: str = "tiny"
    init_from: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    weights: dict[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    mel: MelLossConfig = field(default_factory=MelLossConfig)
    waveform: WaveformLossConfig = field(default_factory=WaveformLossConfig)
    compressed_spectrum: CompressedSpectrumConfig = field(default_factory=CompressedSpectrumConfig)
    weighted_waveform: WeightedWaveformConfig = field(default_factory=WeightedWaveformConfig)
    gan: GanConfig = field(default_factory=GanConfig)
    semantic: SemanticConfig | None = None
    quantizer_dropout: DropoutConfig = field(default_factory=DropoutConfig)
    revival: RevivalConfig = field(default_factory=RevivalConfig)
    initialize: Literal["principal", "orthogonal", "random"] = "principal"
    compile: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "weights", WEIGHTS | self.weights)
        for name, weight in self.weights.items():
            if not 0 <= weight < math.inf:
                raise ValueError(f"weights.{name} must not be negative, got {weight}")
        if not self.stages:
            raise ValueError("a recipe needs at least one [[stages]] table with its steps")
        parts = set(FREEZABLE) - ({"semantic"} if self.semantic is None else set())
        if any(set(stage.freeze) >= parts and not stage.adversarial for stage in self.stages):
            raise ValueError(f"{sorted(parts)} are all frozen: nothing would learn")

    @property
    def steps(self) -> int:
        """Of all stages together."""
        return sum(stage.steps for stage in self.stages)

    @property
    def loss_configs(self) -> dict[str, LossConfig]:
        """The settings of losses that have a table of their own, by the names of their weights."""
        values = {member.name: getattr(self, member.name) for member in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, LossConfig)}

    def stage_at(self, step: int) -> tuple[int, int]:
        """The index of the stage that `step` belongs to, and the step's number within it."""
        for index, stage in enumerate(self.stages):
            if step < stage.steps:
                return index, step
            step -= stage.steps
        return len(self.stages) - 1, self.stages[-1].steps + step


def load_recipe(path: str | Path, overrides: list[str] | None = None) -> CodecTrainConfig:
    """Read a tokenizer's recipe; see `read_recipe`. Raises ValueError on an unknown key too."""
    return CodecTrainConfig.from_dict(read_recipe(path, overrides))


def override_recipe(config: CodecTrainConfig, overrides: list[str]) -> CodecTrainConfig:
    """The recipe with `overrides` as in `read_recipe`. Raises ValueError on unknown keys."""
    return CodecTrainConfig.from_dict(overridden(config.to_dict(), overrides))

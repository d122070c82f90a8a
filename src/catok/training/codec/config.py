"""What a training run is: one frozen dataclass, saved with every checkpoint."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from catok.io.config import read_config
from catok.training.codec.codebooks.dropout import DropoutConfig
from catok.training.codec.codebooks.revival import RevivalConfig
from catok.training.codec.data.config import DataConfig
from catok.training.codec.losses.compressed_spectrum import CompressedSpectrumConfig
from catok.training.codec.losses.mel import MelLossConfig
from catok.training.codec.losses.waveform import WaveformLossConfig
from catok.training.codec.losses.weighted_waveform import WeightedWaveformConfig
from catok.training.codec.semantic.config import SemanticConfig

FREEZABLE = ("encoder", "quantizer", "decoder", "semantic")


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW, with linear warm-up and cosine decay to `final_rate` times the peak in every stage.

    `learning_rate` is the peak; `hold`: the share of a stage's steps that stay there before the
    decay begins. Multiples of it: `codebook_rate` for the codes, which have to keep
    up with latents that move while they learn; `quantizer_rate` for the quantizer's projections,
    which move the ground under the codes; `semantic_rate` for the language model;
    `discriminator_rate` for the discriminators. `clip_norm` bounds the norm of the gradient of
    each: codec, language model and discriminators.
    """

    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.8, 0.99)
    weight_decay: float = 0.01
    warmup_steps: int = 1000
    final_rate: float = 0.1
    hold: float = 0.0
    codebook_rate: float = 1.0
    quantizer_rate: float = 1.0
    semantic_rate: float = 1.0
    discriminator_rate: float = 1.0
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
        if not self.learning_rate > 0 or not self.clip_norm > 0:
            raise ValueError("optimizer.learning_rate and optimizer.clip_norm must be positive")
        if not 0 <= self.hold < 1:
            raise ValueError(f"optimizer.hold is a share from 0 to below 1, got {self.hold}")
        if self.warmup_steps < 0:
            raise ValueError(f"optimizer.warmup_steps must not be negative: {self.warmup_steps}")


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses of the same names (paper section 3). A weight of 0 leaves its loss out;
    `waveform`, `compressed_spectrum` and `weighted_waveform` are no part of the paper.
    """

    mel: float = 15.0
    codebook: float = 1.0
    commitment: float = 0.25
    semantic: float = 20.0
    adversarial: float = 1.0
    feature: float = 2.0
    waveform: float = 0.0
    compressed_spectrum: float = 0.0
    weighted_waveform: float = 0.0

    def __post_init__(self) -> None:
        for name, weight in asdict(self).items():
            if weight < 0:
                raise ValueError(f"weights.{name} must not be negative, got {weight}")


@dataclass(frozen=True)
class AdversaryConfig:
    """`discriminators`: a preset's name, or a folder of published ones to go on with.

    `crop_seconds`: let them judge a random span of this length of every row (None: all of it).
    `every`: in adversarial stages they take part in one step of so many.
    """

    discriminators: str = "full"
    crop_seconds: float | None = None
    every: int = 1

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"adversary.every must be at least 1, got {self.every}")


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
class TrainConfig:
    """A whole run.

    `tokenizer`: a preset's name, a JSON file of `TokenizerConfig`'s keys, or the folder of a model
    to continue from.
    `semantic`: the language model that reads the latents; None: no text.
    `initialise`: a new codec's first projections and codes from its training audio
    (`training/codec/init_from_data.py`), by "principal" components or "orthogonal" random
    directions; or everything "random".
    `ema`: decay of the running average of the weights, which then is what is validated and
    published (0: the weights themselves).
    `accumulate`: micro-batches per step.
    `autocast`: bfloat16 wherever it is safe; the quantizer stays float32.
    `checkpoint_activations`: less memory, more time. `compile`: torch.compile, if it works here.
    `parallel`: under several processes, "ddp" copies the weights, "fsdp" shares them out.
    `max_bad_steps`: how many steps in a row may be skipped for NaN or infinity until the run stops.
    `log_every`, `validate_every` (steps), `save_minutes`: the loop's clock; `keep_every` leaves a
    copy of the model, model-STEP/, every so many steps (0: never).
    """

    stages: tuple[TrainStage, ...]
    tokenizer: str = "tiny"
    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    weights: LossWeights = field(default_factory=LossWeights)
    mel: MelLossConfig = field(default_factory=MelLossConfig)
    waveform: WaveformLossConfig = field(default_factory=WaveformLossConfig)
    compressed_spectrum: CompressedSpectrumConfig = field(default_factory=CompressedSpectrumConfig)
    weighted_waveform: WeightedWaveformConfig = field(default_factory=WeightedWaveformConfig)
    adversary: AdversaryConfig = field(default_factory=AdversaryConfig)
    semantic: SemanticConfig | None = None
    quantizer_dropout: DropoutConfig = field(default_factory=DropoutConfig)
    revival: RevivalConfig = field(default_factory=RevivalConfig)
    initialise: Literal["principal", "orthogonal", "random"] = "principal"
    ema: float = 0.0
    accumulate: int = 1
    autocast: bool = False
    checkpoint_activations: bool = False
    compile: bool = False
    parallel: Literal["ddp", "fsdp"] = "ddp"
    max_bad_steps: int = 10
    log_every: int = 20
    validate_every: int = 500
    save_minutes: float = 5.0
    keep_every: int = 0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        if not self.stages:
            raise ValueError("a recipe needs at least one [[stages]] table with its steps")
        parts = set(FREEZABLE) - ({"semantic"} if self.semantic is None else set())
        if any(set(stage.freeze) >= parts and not stage.adversarial for stage in self.stages):
            raise ValueError(f"{sorted(parts)} are all frozen: nothing would learn")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is a decay from 0 to below 1, such as 0.999: {self.ema}")
        for name in ("accumulate", "max_bad_steps", "log_every", "validate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def steps(self) -> int:
        """Of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> tuple[int, int]:
        """The index of the stage that `step` belongs to, and the step's number within it."""
        for index, stage in enumerate(self.stages):
            if step < stage.steps:
                return index, step
            step -= stage.steps
        return len(self.stages) - 1, self.stages[-1].steps + step

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "TrainConfig":
        """Read `to_dict`'s output. Raises ValueError on unknown or ill-typed keys."""
        return read_config(cls, data, "recipe")

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, for JSON."""
        return asdict(self)

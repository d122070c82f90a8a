"""What a training run is: one frozen dataclass, saved with every checkpoint."""

import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from catok.configs import read_config
from catok.training.losses.mel import MelLossConfig
from catok.training.revival import RevivalConfig


@dataclass(frozen=True)
class DataConfig:
    """Which crops a batch is made of.

    `crop_seconds`: length of each; `batch_size`: how many; `domain_weights`: how often each domain
    is drawn (empty: by its hours); `min_band_edge`: recordings that carry less, in Hz, are left
    out; `gain_db`: range of a random gain, applied where it does not clip.
    """

    crop_seconds: float = 2.56
    batch_size: int = 6
    domain_weights: dict[str, float] = field(default_factory=dict)
    min_band_edge: float = 0.0
    gain_db: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW with linear warm-up and cosine decay to `final_rate` times `learning_rate`.

    `codebook_rate`: the codes' learning rate over everybody else's; they have to keep up with
    latents that move while they learn.
    """

    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.8, 0.99)
    weight_decay: float = 0.01
    warmup_steps: int = 500
    final_rate: float = 0.02
    codebook_rate: float = 4.0
    clip_norm: float = 1.0


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses of the same names (paper section 3)."""

    mel: float = 15.0
    codebook: float = 1.0
    commitment: float = 0.25


@dataclass(frozen=True)
class TrainConfig:
    """A whole run. `tokenizer` is a preset's name or the folder of a model to continue from.

    `quantizer_dropout`: share of rows that keep a random prefix of the codebooks, uniform from 1 to
    all of them (paper section 2). `validate_every`, `save_minutes`, `log_every`: the loop's clock.
    """

    tokenizer: str = "tiny"
    steps: int = 10_000
    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    weights: LossWeights = field(default_factory=LossWeights)
    mel: MelLossConfig = field(default_factory=MelLossConfig)
    revival: RevivalConfig = field(default_factory=RevivalConfig)
    quantizer_dropout: float = 1.0
    autocast: bool = False
    log_every: int = 20
    validate_every: int = 500
    save_minutes: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.quantizer_dropout <= 1:
            raise ValueError(f"quantizer_dropout is a share from 0 to 1: {self.quantizer_dropout}")
        if self.steps < 1 or self.data.batch_size < 1:
            raise ValueError("steps and data.batch_size must be at least 1")

    @classmethod
    def from_toml(cls, path: str | Path) -> "TrainConfig":
        """Read a recipe. Raises ValueError on a missing file, bad TOML or an unknown key."""
        try:
            data = tomllib.loads(Path(path).read_text())
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ValueError(f"cannot read the recipe {path}: {error}") from error
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "TrainConfig":
        """Read `to_dict`'s output. Raises ValueError on unknown or ill-typed keys."""
        return read_config(cls, data, "recipe")

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, for JSON."""
        return asdict(self)

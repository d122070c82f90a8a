"""What every training run is told: clock, seed, processes, and how it is optimized."""

import re
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal, Self

from catok.io.config import read_config

_RENAMED = {
    "optimizer.final_rate": "it is optimizer.min_lr_ratio",
    "optimizer.clip_norm": "it is optimizer.max_grad_norm",
} | {
    f"optimizer.{name}_rate": "it is a group of optimizer.groups, such as "
    f"{{ pattern = '{pattern}', lr_scale = 4.0 }}"
    for name, pattern in (
        ("codebook", "codebook\\.weight$"),
        ("quantizer", "\\.quantizer\\."),
        ("semantic", "^semantic\\."),
        ("discriminator", "^discriminators\\."),
    )
}
"""Keys that recipes of 0.1 have, and what takes their place."""


@dataclass(frozen=True)
class ParameterGroup:
    r"""Parameters with settings of their own: those whose name matches the regular expression.

    `pattern` is searched for in names such as "codec.quantizer.quantizers.0.codebook.weight"; the
    first group that matches counts. `lr_scale` multiplies the learning rate. `weight_decay`
    replaces the usual one, which is none for vectors. `name`: for error messages.
    """

    pattern: str
    lr_scale: float = 1.0
    weight_decay: float | None = None
    name: str = ""

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(
                f"optimizer.groups: {self.pattern!r} is no regular expression ({error})"
            ) from error
        if not self.lr_scale >= 0 or (self.weight_decay is not None and self.weight_decay < 0):
            raise ValueError("optimizer.groups: lr_scale and weight_decay must not be negative")

    def matches(self, parameter: str) -> bool:
        """Whether a parameter of this name belongs to the group."""
        return re.search(self.pattern, parameter) is not None


@dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer, with linear warm-up and cosine decay to `min_lr_ratio` times the peak.

    `name`: a class of `torch.optim`, in any case ("adamw"), or "python=module:Class" for one from
    elsewhere. `learning_rate` is the peak, reached after `warmup_steps`; `hold`: the share of the
    steps that stay there before the decay begins. `betas` and `weight_decay` are for optimizers
    that have them; `options` are further arguments of the class. `groups`: parameters with a
    learning rate or weight decay of their own. `max_grad_norm` bounds the norm of the gradient.
    """

    name: str = "adamw"
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.8, 0.99)
    weight_decay: float = 0.01
    warmup_steps: int = 1000
    min_lr_ratio: float = 0.1
    hold: float = 0.0
    max_grad_norm: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)
    groups: tuple[ParameterGroup, ...] = ()

    def __post_init__(self) -> None:
        if not self.learning_rate > 0 or not self.max_grad_norm > 0:
            raise ValueError("optimizer.learning_rate and optimizer.max_grad_norm must be positive")
        if not 0 <= self.hold < 1:
            raise ValueError(f"optimizer.hold is a share from 0 to below 1, got {self.hold}")
        if self.warmup_steps < 0:
            raise ValueError(f"optimizer.warmup_steps must not be negative: {self.warmup_steps}")
        if not 0 <= self.min_lr_ratio <= 1:
            raise ValueError(f"optimizer.min_lr_ratio is from 0 to 1, got {self.min_lr_ratio}")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Of any run.

    `ema`: decay of the exponential moving average of the weights, which then is what is validated
    and published (0: the weights themselves). `accumulate`: micro-batches per step and process.
    `autocast`: bfloat16 wherever it is safe. `checkpoint_activations`: less memory, more time.
    `parallel`: under several processes, "ddp" copies the weights, "fsdp" shards them.
    `max_bad_steps`: how many steps in a row may be skipped for NaN or infinity until the run stops.
    `log_every`, `validate_every` (steps), `save_minutes`: when it logs, validates and saves;
    `keep_every` leaves a copy of the model, model-STEP/, every so many steps (0: never).
    `tensorboard`: logs for it too.
    """

    renamed: ClassVar[dict[str, str]] = {}  # old key -> what takes its place

    seed: int = 0
    ema: float = 0.0
    accumulate: int = 1
    autocast: bool = False
    checkpoint_activations: bool = False
    parallel: Literal["ddp", "fsdp"] = "ddp"
    max_bad_steps: int = 10
    log_every: int = 20
    validate_every: int = 500
    save_minutes: float = 5.0
    keep_every: int = 0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is a decay from 0 to below 1, such as 0.999: {self.ema}")
        for name in ("accumulate", "max_bad_steps", "log_every", "validate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read `to_dict`'s output. Raises ValueError on unknown or ill-typed keys; of keys that
        older recipes have it says what they are now.
        """
        for key, advice in (_RENAMED | cls.renamed).items():
            if _has_key(data, key):
                raise ValueError(f"recipe: there is no key {key} any more: {advice}")
        return read_config(cls, data, "recipe")

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, for JSON."""
        return asdict(self)


def _has_key(data: Any, key: str) -> bool:
    """Whether nested tables have a dotted key."""
    first, _, rest = key.partition(".")
    if not isinstance(data, dict) or first not in data:
        return False
    return not rest or _has_key(data[first], rest)

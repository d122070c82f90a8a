"""Recipes of tokenizers."""

from pathlib import Path

from catok.training.codec.train_config import TrainConfig
from catok.training.engine.recipe import overridden, read_recipe


def load_recipe(path: str | Path, overrides: list[str] | None = None) -> TrainConfig:
    """Read a tokenizer's recipe; see `read_recipe`. Raises ValueError on an unknown key too."""
    return TrainConfig.from_dict(read_recipe(path, overrides))


def override_recipe(config: TrainConfig, overrides: list[str]) -> TrainConfig:
    """The recipe with `overrides` as in `read_recipe`. Raises ValueError on unknown keys."""
    return TrainConfig.from_dict(overridden(config.to_dict(), overrides))

"""Recipes: TOML files whose keys are `TrainConfig`'s, and which may be differences to another."""

import tomllib
from pathlib import Path
from typing import Any

from catok.training.config import TrainConfig


def load_recipe(path: str | Path, overrides: list[str] | None = None) -> TrainConfig:
    """Read a recipe; `overrides` such as "data.batch_size=4" have the last word.

    A recipe may begin with `base = "other.toml"`, relative to itself: its own keys then replace the
    other's, table by table. Raises ValueError on a missing file, bad TOML or an unknown key.
    """
    return _overridden(_read(Path(path), ()), overrides or [])


def override_recipe(config: TrainConfig, overrides: list[str]) -> TrainConfig:
    """The recipe with `overrides` as in `load_recipe`. Raises ValueError on unknown keys."""
    return _overridden(config.to_dict(), overrides)


def _overridden(data: dict[str, Any], overrides: list[str]) -> TrainConfig:
    for override in overrides:
        data = _merge(data, _override(override))
    return TrainConfig.from_dict(data)


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in seen:
        raise ValueError(f"the recipe {path} is based on itself")
    try:
        data = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read the recipe {path}: {error}") from error
    base = data.pop("base", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise ValueError(f"{path}: base is the path of another recipe, got {base!r}")
    return _merge(_read(path.parent / base, (*seen, path)), data)


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Tables merge key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _merge(old, value)
        merged[key] = value
    return merged


def _override(text: str) -> dict[str, Any]:
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise ValueError(f"an override is KEY=VALUE, such as data.batch_size=4; got {text!r}")
    for candidate in (value, f'"{value}"'):
        try:
            return tomllib.loads(f"{key.strip()} = {candidate}")
        except tomllib.TOMLDecodeError:
            continue
    raise ValueError(f"cannot read the override {text!r}: VALUE is written as in TOML")

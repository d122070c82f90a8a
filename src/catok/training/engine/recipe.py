"""Recipes: TOML files whose keys are those of a configuration, and which may be differences to
another.
"""

from pathlib import Path
from typing import Any

from catok.io.toml import parse_toml, read_toml


def read_recipe(path: str | Path, overrides: list[str] | None = None) -> dict[str, Any]:
    """The keys of a recipe of any kind; `overrides` such as "data.batch_size=4" have the last word:
    "tasks={asr=1.0}" replaces the whole table, "tasks.asr=1.0" one key of it.

    A recipe may begin with `base = "other.toml"`, relative to itself: its own keys then replace the
    other's, table by table. A .json file of sizes that `architecture` names is looked for beside
    the recipe first. Raises ValueError on a missing file and on bad TOML.
    """
    return overridden(_read(Path(path), ()), overrides or [])


def overridden(data: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """A recipe's keys with `overrides` as in `read_recipe`."""
    for override in overrides:
        keys, value = _override(override)
        data = _replaced(data, keys, value)
    return data


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in seen:
        raise ValueError(f"the recipe {path} is based on itself")
    try:
        data = read_toml(path)
    except ValueError as error:
        raise ValueError(f"cannot read the recipe {path}: {error}") from error
    if "architecture" in data:
        data["architecture"] = _path_beside(path, data["architecture"])
    base = data.pop("base", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise ValueError(f"{path}: base is the path of another recipe, got {base!r}")
    return _merge(_read(path.parent / base, (*seen, path)), data)


def _path_beside(recipe: Path, value: Any) -> Any:
    """The path of a .json file that lies beside the recipe; other values as they are."""
    is_file = isinstance(value, str) and value.endswith(".json")
    return str(recipe.parent / value) if is_file and (recipe.parent / value).is_file() else value


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Tables merge key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _merge(old, value)
        merged[key] = value
    return merged


def _replaced(data: dict[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    """The tables with another value at the place that `keys` lead to."""
    first, *rest = keys
    if rest:
        inner = data.get(first)
        value = _replaced(inner if isinstance(inner, dict) else {}, rest, value)
    return data | {first: value}


def _override(text: str) -> tuple[list[str], Any]:
    """The keys of an override, from the outermost table in, and its value."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise ValueError(f"an override is KEY=VALUE, such as data.batch_size=4; got {text!r}")
    for candidate in (value, f'"{value}"'):
        try:
            parsed: Any = parse_toml(f"{key.strip()} = {candidate}", text)
            place: Any = parse_toml(f"{key.strip()} = 0", text)
        except ValueError:
            continue
        keys = []
        while isinstance(place, dict):
            (name,) = place
            keys.append(name)
            place, parsed = place[name], parsed[name]
        return keys, parsed
    raise ValueError(f"cannot read the override {text!r}: VALUE is written as in TOML")

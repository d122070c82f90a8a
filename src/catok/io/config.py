"""Frozen dataclasses from plain data, strictly: unknown, missing or ill-typed keys are errors."""

import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def read_config(kind: type[T], data: Any, where: str) -> T:
    """Build the dataclass `kind` from nested mappings, sequences and scalars.

    `where` names the place in error messages. Raises ValueError that names the key at fault.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"{where} must be a table of keys, got {type(data).__name__}")
    hints = get_type_hints(kind)
    members = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(data) - set(members))
    if unknown:
        raise ValueError(f"unknown keys in {where}: {unknown}; known are {sorted(members)}")
    missing = [
        name
        for name, field in members.items()
        if name not in data and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise ValueError(f"missing keys in {where}: {missing}")
    return kind(**{name: _value(hints[name], data[name], f"{where}.{name}") for name in data})


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a model's file. Raises ValueError when there is none."""
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ValueError(
            f"{path.parent} holds no {path.name}: not a model folder, or a name misspelt"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON ({error}): fetch the file again") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} must hold a JSON object")
    return data


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _one_of(arguments, value, where)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{where} must be one of {list(arguments)}, got {value!r}")
        return value
    if is_dataclass(hint):
        return read_config(hint, value, where)  # type: ignore[type-var]
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise ValueError(f"{where} must be a list, got {value!r}")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            arguments = (arguments[0],) * len(value)
        if len(arguments) != len(value):
            raise ValueError(f"{where} must hold {len(arguments)} values, got {len(value)}")
        pairs = zip(arguments, value, strict=True)
        return tuple(_value(a, v, f"{where}[{i}]") for i, (a, v) in enumerate(pairs))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} must be a table of keys, got {value!r}")
        return {key: _value(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{where} must be {hint.__name__}, got {value!r}")
    return value


def _one_of(options: Sequence[Any], value: Any, where: str) -> Any:
    """The first member of a union that the value fits; of dataclasses, the one with its keys."""
    if value is None and type(None) in options:
        return None
    options = [option for option in options if option is not type(None)]
    if isinstance(value, Mapping) and len(options) > 1:
        names = [{field.name for field in fields(option)} for option in options]
        overlap = [len(known & set(value)) for known in names]
        options = [options[overlap.index(max(overlap))]]
    for option in options[:-1]:
        try:
            return _value(option, value, where)
        except ValueError:
            continue
    return _value(options[-1], value, where)

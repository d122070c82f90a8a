"""Frozen dataclasses from plain data, strictly: unknown, missing or ill-typed keys are errors."""

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from reprlib import repr as short
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
LARGEST = 2**63  # whole numbers below it are an int64, and fit a float


def read_config(kind: type[T], data: Any, where: str) -> T:
    """Build the dataclass `kind` from nested mappings, sequences and scalars.

    A field of type `Annotated[T, reader]` is read by `reader(value, where)`, such as one of several
    dataclasses. `where` names the place in error messages. Whole numbers become floats where the
    dataclass has floats; all numbers must be finite. Raises ValueError that names the key at fault.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"{where} must be a table of keys, got {type(data).__name__}")
    hints = get_type_hints(kind, include_extras=True)
    members = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(str(key) for key in data if key not in members)
    if unknown:
        raise ValueError(f"unknown keys in {where}: {short(unknown)}; known are {sorted(members)}")
    missing = [
        name
        for name, field in members.items()
        if name not in data and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise ValueError(f"missing keys in {where}: {missing}")
    return kind(**{name: read_value(hints[name], data[name], f"{where}.{name}") for name in data})


def check_format(data: Mapping[str, Any], known: int, where: Any) -> None:
    """Raise ValueError unless a file's key "format" is the one that this version writes."""
    if data.get("format") != known:
        raise ValueError(
            f"{where} has format {short(data.get('format'))}, not {known}: it was written by a "
            "newer catok (upgrade), or is damaged"
        )


def read_value(hint: Any, value: Any, where: str) -> Any:
    """One value of the type `hint`, as `read_config` reads the fields of a dataclass."""
    if hint is Any:
        return value
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        reader = next((item for item in arguments[1:] if callable(item)), None)
        return reader(value, where) if reader else read_value(arguments[0], value, where)
    if origin in (Union, types.UnionType):
        return _one_of(arguments, value, where)
    if origin is Literal:
        if not any(type(value) is type(known) and value == known for known in arguments):
            raise ValueError(f"{where} must be one of {list(arguments)}, got {short(value)}")
        return value
    if is_dataclass(hint):
        return read_config(hint, value, where)  # type: ignore[type-var]
    if origin is tuple:
        return _tuple(arguments, value, where)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} must be a table of keys, got {short(value)}")
        return {
            key: read_value(arguments[1], item, f"{where}.{key}") for key, item in value.items()
        }
    return _scalar(hint, value, where)


def _tuple(arguments: Sequence[Any], value: Any, where: str) -> tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(f"{where} must be a list, got {short(value)}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(arguments) != len(value):
        raise ValueError(f"{where} must hold {len(arguments)} values, got {len(value)}")
    pairs = zip(arguments, value, strict=True)
    return tuple(read_value(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(pairs))


def _scalar(hint: type, value: Any, where: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number if hint is float else isinstance(value, hint)) or (
        isinstance(value, bool) and hint is not bool
    ):
        raise ValueError(f"{where} must be {hint.__name__}, got {short(value)}")
    if number and not -LARGEST <= value < LARGEST:  # false for NaN too
        raise ValueError(f"{where} must be a finite number below 2**63, got {short(value)}")
    return float(value) if hint is float else value


def _one_of(options: Sequence[Any], value: Any, where: str) -> Any:
    """The first member of a union that the value fits; of dataclasses, the one with its keys."""
    if value is None and type(None) in options:
        return None
    options = [option for option in options if option is not type(None)]
    if isinstance(value, Mapping) and len(options) > 1:
        tables = [option for option in options if is_dataclass(option)]
        overlap = [len({field.name for field in fields(table)} & set(value)) for table in tables]
        options = [tables[overlap.index(max(overlap))]] if tables else options
    for option in options[:-1]:
        try:
            return read_value(option, value, where)
        except ValueError:
            continue
    return read_value(options[-1], value, where)

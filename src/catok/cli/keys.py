"""Every key of a configuration, as an annotated recipe: type, default and what it is for."""

import inspect
import json
import types
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_NAMES = {
    int: "whole number",
    float: "number",
    bool: "true or false",
    str: "text",
    Any: "anything",
}


def annotated_recipe(config: type) -> str:
    """The keys of a configuration (a dataclass), by their tables, in TOML.

    Keys without a default, those that are None by default, and tables that are not there by default
    are commented out.
    """
    tables: list[str] = []
    _table(config, "", "", False, tables)
    return "\n\n".join(tables)


def _table(config: type, name: str, form: str, absent: bool, tables: list[str]) -> None:
    """Append the table `name` (empty: the top) and those below it; `form`: its header."""
    hints = get_type_hints(config)
    members = fields(config)
    lines = [form] * bool(form)
    for part, names in _parts(config):
        doc = inspect.cleandoc(part.__doc__ or "").splitlines()
        lines += [f"# {line}".rstrip() for line in doc]
        keys = [member for member in members if member.name in names]
        lines += [_line(m, hints[m.name]) for m in keys if _inner(hints[m.name]) is None]
    tables.append("\n".join(map(_commented, lines) if absent else lines))
    for member in members:
        inner = _inner(hints[member.name])
        if inner is None:
            continue
        place = f"{name}.{member.name}" if name else member.name
        header = f"[[{place}]]" if get_origin(hints[member.name]) is tuple else f"[{place}]"
        missing = absent or member.default is None or _is_empty(member)
        _table(inner, place, header, missing, tables)


def _parts(config: type) -> list[tuple[type, set[str]]]:
    """The dataclasses that a configuration is made of, itself first, and the keys of each."""
    parts, seen = [], set[str]()
    for kind in config.__mro__:
        if is_dataclass(kind):
            parts.append((kind, set(inspect.get_annotations(kind)) - seen))
            seen |= parts[-1][1]
    return parts


def _inner(hint: Any) -> type | None:
    """The dataclass that a key's value is made of, alone, in a list, or if it is there at all."""
    if is_dataclass(hint) and isinstance(hint, type):
        return hint
    return next((kind for kind in map(_inner, get_args(hint)) if kind is not None), None)


def _is_empty(member: Field) -> bool:
    """A list of tables that has none by default."""
    return member.default == ()


def _commented(line: str) -> str:
    return line if line.startswith("#") else f"# {line}"


def _line(member: Field, hint: Any) -> str:
    value = member.default
    if value is MISSING and member.default_factory is not MISSING:
        value = member.default_factory()
    kind = _type_name(hint)
    if value is MISSING:
        return f"# {member.name} =  # {kind}; must be given"
    if value is None:
        return f"# {member.name} =  # {kind}"
    return f"{member.name} = {_toml(value)}  # {kind}"


def _type_name(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(json.dumps(value) for value in arguments)
    if origin in (Union, types.UnionType):
        names = [_type_name(kind) for kind in arguments if kind is not type(None)]
        return " or ".join([*names, "nothing"] if type(None) in arguments else names)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return f"list of {_type_name(arguments[0])}"
        return f"[{', '.join(map(_type_name, arguments))}]"
    if origin is dict:
        return f"table of {_type_name(arguments[1])}"
    return _NAMES[hint]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)

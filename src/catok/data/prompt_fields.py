"""What a request to speak says besides its text and its voices: the released prompt's fields.

A new field is one line here (docs/extend/tts-field.md): prompts, `SpeechRequest`, `catok tts`, its
lists and the manifests of training all take their fields from this class, in this order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self, get_type_hints


def _field(meaning: str, *, always: bool = False) -> Any:
    """`always`: a line of the prompt even where nothing is said, as the released models have it."""
    return field(default=None, metadata={"meaning": meaning, "always": always})


@dataclass(frozen=True, kw_only=True)
class PromptFields:
    """None stands for what is not said. Source: `docs/spec/tts-layout.md` (d).

    Raises ValueError on values of another type, empty text, and lines that look like a field.
    """

    instruction: str | None = _field("How to speak, in words.", always=True)
    tokens: int | None = _field(
        "Wished length, in frames of the audio tokenizer (80 ms).", always=True
    )
    quality: str | None = _field("Of the recording, in words.", always=True)
    sound_event: str | None = _field("What else is to be heard, in words.", always=True)
    ambient_sound: str | None = _field(
        "What is to be heard behind the voice, in words.", always=True
    )
    language: str | None = _field("A tag such as en.", always=True)

    def __post_init__(self) -> None:
        hints = get_type_hints(PromptFields)
        for name in FIELDS:
            _check(name, getattr(self, name), int if hints[name] == int | None else str)

    def prompt_lines(self) -> dict[str, str | None]:
        """The values as text, by their labels, for the lines of the prompt."""
        values = {name: getattr(self, name) for name in FIELDS}
        lines = {n: v for n, v in values.items() if v is not None or n in ALWAYS}
        return {label(n): None if v is None else str(v) for n, v in lines.items()}

    def own_fields(self) -> dict[str, Any]:
        """What is said, by name."""
        values = {name: getattr(self, name) for name in FIELDS}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def read(cls, keys: Mapping[str, Any]) -> Self:
        """The fields among other keys. Raises ValueError as the constructor does."""
        return cls(**{name: keys[name] for name in FIELDS if keys.get(name) is not None})


FIELDS = {each.name: each.metadata["meaning"] for each in fields(PromptFields)}
ALWAYS = {each.name for each in fields(PromptFields) if each.metadata["always"]}


def label(name: str) -> str:
    """sound_event -> Sound Event."""
    return name.replace("_", " ").title()


def _check(name: str, value: Any, kind: type) -> None:
    if value is None:
        return
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = "a whole number" if kind is int else "text"
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
    if isinstance(value, int):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
        return
    if not value.strip():
        raise ValueError(f"{name} is empty: leave it out, or say something")
    headers = {f"- {label(each)}:" for each in (*FIELDS, "text")}
    for line in value.splitlines():
        if line.strip() in headers:
            raise ValueError(f"{name} holds the line {line.strip()!r}, a field's name: reword it")

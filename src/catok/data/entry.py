"""What a list says of one recording: the keys that all readers of lists know, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

MAX_SECONDS = 1e7  # 115 days: no recording, but milliseconds or samples, or damage

_AUDIO = ("audio", "audio_filepath", "audio_path")  # the second as NeMo writes it
_TEXTS = {
    "id": ("id",),
    "text": ("text",),
    "language": ("language", "lang"),
    "speaker": ("speaker",),
    "domain": ("domain",),
    "corpus": ("corpus",),
    "task": ("task",),
}
_NUMBERS = ("offset", "duration", "band_edge")
_OF_CODES = ("codes", "frames", "weights")
_KNOWN = {name for names in _TEXTS.values() for name in names} | {*_AUDIO, *_NUMBERS}
_LONG = 5  # letters from which a name with one wrong letter is taken for a misspelling


@dataclass(frozen=True)
class Entry:
    """One recording of a list; None is what the list does not say.

    `audio`, a file, or `codes`, a .cat file, or both. `name`: as the list calls it. `offset` and
    `duration` in seconds: with an offset they are a part of the file (`duration` None: to its end),
    without one the whole file, which `duration` is the length of. `total`: length of the whole
    file. `band_edge`: highest frequency in Hz that it carries. `speaker`: whose voice it is;
    `corpus`: where it comes from. `frames` and `weights` (the codec's weight hash) are those of
    `codes`. `extra`: all other keys.
    `line`: where it stands in the list, from 1. `error`: why it cannot be used.
    """

    audio: Path | None
    codes: Path | None = None
    name: str = ""
    offset: float | None = None
    duration: float | None = None
    total: float | None = None
    id: str | None = None
    text: str | None = None
    language: str | None = None
    speaker: str | None = None
    domain: str | None = None
    corpus: str | None = None
    task: str | None = None
    band_edge: float | None = None
    frames: int | None = None
    weights: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0
    error: str | None = None


def parse_entry(keys: Mapping[str, Any], folder: Path, line: int = 0) -> Entry:
    """The entry of a line; its paths are relative to `folder`.

    Known keys: `audio` (or `audio_filepath`, `audio_path`), `codes`, `offset`, `duration`, `id`,
    `text`, `language` (or `lang`), `speaker`, `domain`, `corpus`, `task`, `band_edge`; with `codes`
    also `frames` and `weights`. Raises ValueError where a value is not what it should be, and on an
    unknown key that looks like a known one misspelt; others are `extra`.
    """
    audio, codes = _first(keys, _AUDIO, _path), _path(keys, "codes")
    if audio is None and codes is None:
        near = next((key for key in keys if _closest_key(key) in _AUDIO), None)
        hint = f": is {near!r} meant?" if near else ""
        raise ValueError(f'needs "audio" or "codes", the path of a file{hint}')
    facts = parse_facts(keys)
    if codes is not None:
        facts |= {"frames": _count(keys, "frames"), "weights": _text(keys, "weights")}
    return Entry(
        audio=None if audio is None else folder / audio,
        codes=None if codes is None else folder / codes,
        name=audio or codes or "",
        line=line,
        **facts,
    )


def parse_facts(keys: Mapping[str, Any]) -> dict[str, Any]:
    """What keys say of a recording whose place is known, as fields of an `Entry`.

    Raises ValueError as `parse_entry` does.
    """
    offset, duration = _seconds(keys, "offset"), _seconds(keys, "duration")
    edge = _number(keys, "band_edge")
    if duration == 0:
        raise ValueError("duration must be positive seconds, got 0")
    if edge is not None and edge <= 0:
        raise ValueError(f"band_edge must be positive Hz, got {edge:g}")
    if "source" in keys:
        raise ValueError('"source" could be either: write "corpus" or, for the voice, "speaker"')
    known = _KNOWN.union(_OF_CODES)
    extra = {key: value for key, value in keys.items() if key not in known}
    for key in extra:
        meant = _closest_key(key)
        if meant is not None and meant not in keys:
            raise ValueError(f"unknown key {key!r}: {meant!r} is meant, or else rename it")
    facts: dict[str, Any] = {name: _first(keys, keys_of, _text) for name, keys_of in _TEXTS.items()}
    return facts | {"offset": offset, "duration": duration, "band_edge": edge, "extra": extra}


def _first(keys: Mapping[str, Any], names: tuple[str, ...], read: Any) -> Any:
    """The value under whichever of the names is there."""
    given = {name: value for name in names if (value := read(keys, name)) is not None}
    if len(set(given.values())) > 1:
        raise ValueError(f"{' and '.join(given)} say different things: keep one")
    return next(iter(given.values()), None)


def _text(keys: Mapping[str, Any], name: str) -> str | None:
    value = keys.get(name)
    if name == "id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str | None):
        raise ValueError(f"{name} must be a string, got {value!r}")
    if value is not None and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError(f"{name} holds half a character (a lone surrogate): {value!r}")
    return value


def _path(keys: Mapping[str, Any], name: str) -> str | None:
    value = keys.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError(f"{name} must be a string, the path of a file, got {value!r}")
    return value


def _number(keys: Mapping[str, Any], name: str) -> float | None:
    value = keys.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{name} must be a number, got {value!r}")
    if not abs(value) < 1e300:  # NaN, infinity, and integers beyond floats
        raise ValueError(f"{name} must be a finite number, got {str(value)[:20]}")
    return float(value)


def _seconds(keys: Mapping[str, Any], name: str) -> float | None:
    value = _number(keys, name)
    if value is not None and not 0 <= value <= MAX_SECONDS:
        raise ValueError(f"{name} must be positive seconds up to {MAX_SECONDS:g}, got {value:g}")
    return value


def _count(keys: Mapping[str, Any], name: str) -> int | None:
    value = keys.get(name)
    if not isinstance(value, int | None) or isinstance(value, bool) or (value or 0) < 0:
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    return value


@lru_cache(1000)
def _closest_key(key: str) -> str | None:
    """The known key that a strange one is a misspelling of, if any.

    It is in other letters' case or with other separators, has two letters swapped or, in names of 5
    letters or more, one letter wrong, missing or too many; but a plural is a name of its own.
    """
    for known in sorted(_KNOWN):
        if key == known + "s":
            continue
        plain = key.lower().replace("-", "_").replace(" ", "_")
        if plain == known or plain in _swapped(known):
            return known
        if len(known) >= _LONG and _one_edit(plain, known):
            return known
    return None


def _swapped(word: str) -> set[str]:
    return {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}


def _one_edit(one: str, other: str) -> bool:
    """Whether one letter changed, added or dropped makes the words equal."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), None)
    if start is None:
        return len(long) != len(short)
    skip = 1 if len(long) == len(short) else 0
    return short[start + skip :] == long[start + 1 :]

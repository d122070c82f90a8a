"""Manifests of speech: JSON lines that name a recording, or its codes, and what is said in it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catok.data.lines import numbered_lines


@dataclass(frozen=True)
class Spoken:
    """One recording.

    `audio` and `codes` (a .cat file): at least one of them. `frames` and `weights` (the codec's
    weight hash) are the codes', where the line says so. `voice`: whose it is, for references.
    """

    audio: Path | None
    codes: Path | None
    text: str | None
    language: str | None = None
    voice: str | None = None
    frames: int | None = None
    weights: str | None = None


def read_manifest(path: str | Path) -> list[Spoken]:
    """The lines of a manifest, plain or gzipped; other keys than these are passed over.

    `audio` or `codes` (paths relative to the manifest), `text`, `language`, and `speaker` or else
    `source`, which is taken for the voice; `frames` and `weights` as `write_tokens` adds them.
    Raises ValueError, with the line's number, on a malformed one, and on an empty manifest.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no manifest at {path}: give a file of JSON lines with audio and text")
    found = []
    for number, line in numbered_lines(path):
        try:
            found.append(_spoken(json.loads(line), path.parent))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    if not found:
        raise ValueError(f"{path} lists no recordings")
    return found


def _spoken(line: Any, folder: Path) -> Spoken:
    if not isinstance(line, Mapping):
        raise ValueError("needs an object of keys")
    audio, codes = _text(line, "audio"), _text(line, "codes")
    if audio is None and codes is None:
        raise ValueError('needs "audio" or "codes", a path')
    frames = line.get("frames")
    if not isinstance(frames, int | None) or isinstance(frames, bool):
        raise ValueError(f"frames must be a whole number, got {frames!r}")
    return Spoken(
        audio=None if audio is None else folder / audio,
        codes=None if codes is None else folder / codes,
        text=_text(line, "text"),
        language=_text(line, "language"),
        voice=_text(line, "speaker") or _text(line, "source"),
        frames=frames,
        weights=_text(line, "weights"),
    )


def _text(line: Mapping[str, Any], key: str) -> str | None:
    value = line.get(key)
    if not isinstance(value, str | None):
        raise ValueError(f"{key} must be a string, got {value!r}")
    return value

"""The parts of recipes/tiny that this corpus builds on: packages, conversion, manifests."""

import json
import sys
from pathlib import Path

_FOLDER = str(Path(__file__).parents[2] / "recipes" / "tiny")
if _FOLDER not in sys.path:
    sys.path.append(_FOLDER)  # its files import each other by their bare names

from recipes.tiny.prepare import convert_source, fetch, write_lines  # noqa: E402
from recipes.tiny.sources import SOURCES  # noqa: E402

ASTERISK, QUEEN = "asterisk-core-sounds-en-g722", "flight-of-the-amazon-queen"

__all__ = ["ASTERISK", "QUEEN", "converted", "fetch", "write_lines"]


def converted(package: str, folder: Path, cache: Path) -> list[dict]:
    """The rows of a package in `folder`, which has the layout of OUT in recipes/tiny/prepare.py.

    Converts the package into it first where that was not done. Paths are relative to `folder`.
    """
    rows = folder / "audio" / package / "clips.jsonl"
    if not rows.with_name("done.json").exists():
        cache.mkdir(parents=True, exist_ok=True)
        (source,) = (source for source in SOURCES if source.package == package)
        convert_source(source, folder, cache)
    return [json.loads(line) for line in rows.read_text("utf-8").splitlines()]

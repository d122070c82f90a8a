"""What tells one model from another, so that rows of two of them are never mixed."""

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

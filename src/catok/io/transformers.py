"""Loading through the package transformers, with nothing of the loaded folder's own run.

Without a word on `trust_remote_code`, transformers asks on standard input whether to run the code
of a model's folder, and takes a piped line that begins with "y" for consent.
"""

from pathlib import Path
from typing import Any


def from_transformers(loader: Any, source: str | Path, **options: Any) -> Any:
    """What a class of transformers loads from a local folder, without network, or a hub id.

    Code in the folder is refused, and pipes and devices, which could block or never end. Raises
    what transformers raises: ValueError, OSError, and bare Exception from its tokenizers.
    """
    local = Path(source).exists()
    if local and Path(source).is_dir():
        for file in Path(source).iterdir():
            if file.exists() and not file.is_file() and not file.is_dir():
                raise ValueError(f"{file} is not a regular file")
    return loader.from_pretrained(
        str(source), local_files_only=local, trust_remote_code=False, **options
    )

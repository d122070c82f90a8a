"""The same tokens in another format."""

from dataclasses import replace
from pathlib import Path

from catok.corpus.formats import FORMATS
from catok.corpus.ledger import TokenFolder
from catok.corpus.storage import storage_at
from catok.io.remote import is_url


def convert(source: str | Path, out: str | Path, form: str) -> int:
    """Write the shards of the folder `source` in format `form` to the folder `out`; their number.

    Shards, rows and ledger stay as they are; shards that are done are kept, so that a conversion
    that was stopped goes on. Raises ValueError on an unknown format, a folder of no tokens, and one
    that is in use or holds others.
    """
    if form not in FORMATS:
        raise ValueError(f"no format {form!r}: there are {', '.join(FORMATS)}")
    old = TokenFolder.open(source)
    if _place(source) == _place(out):
        raise ValueError(f"{out} is the folder to convert: choose another output folder")
    count = 0
    with storage_at(out).lock(""):
        new = TokenFolder.create(out, replace(old.settings, format=form))
        for index, entry in old.entries():
            if new.entry(index) != entry:
                new.write(index, list(old.rows(index)), entry)
            count += 1
        new.write_failures()
    return count


def _place(path: str | Path) -> str:
    return str(path).rstrip("/") if is_url(path) else str(Path(path).resolve())

"""The same tokens in another format."""

from dataclasses import replace
from pathlib import Path

from catok.corpus.formats import FORMATS
from catok.corpus.ledger import TokenFolder
from catok.io.lock import folder_lock


def convert(source: str | Path, out: str | Path, form: str) -> int:
    """Write the shards of the folder `source` in format `form` to the folder `out`; their number.

    Shards, rows and ledger stay as they are; shards that are done are kept, so that a conversion
    that was stopped goes on. Raises ValueError on an unknown format, a folder of no tokens, and one
    that is in use or holds others.
    """
    if form not in FORMATS:
        raise ValueError(f"no format {form!r}: there are {', '.join(FORMATS)}")
    old = TokenFolder.open(source)
    if Path(source).resolve() == Path(out).resolve():
        raise ValueError(f"{out} is the folder to convert: choose another output folder")
    count = 0
    with folder_lock(out):
        new = TokenFolder.create(out, replace(old.settings, format=form))
        for index, entry in old.entries():
            if new.entry(index) != entry:
                rows = list(old.format.read(old.shard(index)))
                new.write(index, rows, entry)
            count += 1
        new.write_failures()
    return count

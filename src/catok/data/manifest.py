"""Manifests: JSON lines, one recording each (see `entry` for their keys)."""

from collections.abc import Iterator
from pathlib import Path

from catok.data.entry import Entry, parse_entry
from catok.data.jsonl import read_jsonl


def read_manifest(path: str | Path) -> Iterator[Entry]:
    """The recordings of a manifest, plain or gzipped, in order; paths are relative to it.

    Raises ValueError, with file and line, on a malformed one; when reading ends without any, too.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no manifest at {path}: give a file of JSON lines with audio and text")
    found = False
    for number, keys in read_jsonl(path):
        try:
            entry = parse_entry(keys, path.parent, number)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        found = True
        yield entry
    if not found:
        raise ValueError(f"{path} lists no recordings")

"""Token shards as lists of recordings that have codes, each of which can be read alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from catok.corpus.conversion import convert
from catok.corpus.formats.memmap import read_places
from catok.corpus.inputs import NAMED
from catok.corpus.ledger import SETTINGS, TokenFolder
from catok.data.entry import Entry
from catok.io.cat_file import read_cat

MARK = ".bin@"


def is_token_folder(path: str | Path) -> bool:
    """Whether a folder holds token shards."""
    return Path(path, SETTINGS).is_file()


def mapped_folder(path: str | Path) -> Path:
    """The folder itself where its shards can be mapped into memory, else its copy beside it."""
    path = Path(path)
    return path if TokenFolder.open(path).settings.format == "memmap" else Path(f"{path}.memmap")


def map_tokens(path: str | Path) -> Path:
    """Make `mapped_folder`, or bring it up to date. Raises ValueError as `convert` does."""
    target = mapped_folder(path)
    if target != Path(path):
        convert(path, target, "memmap")
    return target


def token_entries(path: str | Path) -> list[Entry]:
    """The rows of a folder in format "memmap"; their `codes` are what `read_codes` takes.

    Raises ValueError where the folder holds none.
    """
    entries = list(_entries(TokenFolder.open(path)))
    if not entries:
        raise ValueError(f"{path} holds no rows: tokenize a corpus into it first")
    return entries


def _entries(folder: TokenFolder) -> Iterator[Entry]:
    for index, _ in folder.entries():
        shard = folder.shard(index)
        for name, columns, offset, (count, frames) in read_places(shard):
            place = f"{shard.with_suffix('')}{MARK}{offset}:{count}:{frames}"
            said = {key: columns[key] for key in NAMED if isinstance(columns.get(key), str)}
            yield Entry(
                None,
                Path(place),
                id=name,
                name=name,
                frames=frames,
                weights=folder.settings.space.weight_hash,
                extra={key: value for key, value in columns.items() if key not in said},
                **said,
            )


def read_codes(place: str | Path, num_quantizers: int) -> np.ndarray:
    """The first codebooks `[K, F]` of a .cat file or of a row that `token_entries` gave.

    Raises ValueError where they are gone or damaged, or fewer.
    """
    file, mark, numbers = str(place).rpartition(MARK)
    if not mark:
        return read_cat(place, num_quantizers)[1]
    offset, count, frames = map(int, numbers.split(":"))
    if num_quantizers > count:
        raise ValueError(f"{place} holds {count} codebooks, not {num_quantizers}")
    try:
        codes = np.memmap(
            f"{file}.bin", "<u2", "r", offset=2 * offset, shape=(num_quantizers, frames)
        )
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}.bin is gone or damaged: {error}") from error
    return np.array(codes)

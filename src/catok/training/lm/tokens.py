"""From recordings to codes, once: shards of `catok tokenize`, in a folder beside the list of them.

Several processes may share the work. Shards are written in one step, so that whoever is stopped
does no harm; what is there already is kept, unless a recording of the shard has changed since.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from catok.corpus.inputs import read_entries
from catok.corpus.job import TokenizeConfig, tokenize_recordings
from catok.corpus.ledger import FAILED, TokenFolder
from catok.corpus.token_entries import token_entries
from catok.data.entry import Entry
from catok.tokenizer.tokenizer import CausalAudioTokenizer
from catok.training.engine.distributed import Group

SHARD_SIZE = 250  # recordings: what is lost where a run is stopped, and shared out to processes


def token_folder(data: str | Path, tok: CausalAudioTokenizer) -> Path:
    """Where the codes of a manifest or folder go unless told otherwise: beside it, by name and code
    space.
    """
    data = Path(os.path.abspath(data))
    name = data.name if data.is_dir() else data.name.partition(".")[0]
    return data.parent / f"{name}.tokens-{tok.weight_hash}"


def write_tokens(
    recordings: Sequence[Entry],
    folder: str | Path,
    tok: CausalAudioTokenizer,
    *,
    group: Group | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> list[Entry]:
    """Encode what has no codes yet, with all codebooks; returns the recordings with their codes.

    Every process of `group` calls this and takes its share; `report(done, total)` counts that.
    Recordings that cannot be read are left out; failed.jsonl in the folder says why. Raises
    ValueError when nothing is left, and where another run encodes to the folder.
    """
    group = group or Group()
    missing = read_entries([entry for entry in recordings if entry.codes is None])
    config = TokenizeConfig(
        format="memmap",
        shard_size=SHARD_SIZE,
        shard=(group.rank, group.world_size),
        overwrite=True,
    )
    tokenize_recordings(
        tok,
        missing,
        folder,
        config,
        report=lambda summary: report(summary.recordings, summary.total - summary.kept),
    )
    group.barrier()
    tokens = TokenFolder.open(folder)
    if group.is_main:
        tokens.write_failures()
    holds_rows = any(entry.rows for _, entry in tokens.entries())
    if not holds_rows and len(missing) == len(recordings):
        raise ValueError(f"no recording could be encoded; see {folder}/{FAILED}")
    encoded = {entry.id: entry for entry in token_entries(folder)} if holds_rows else {}
    names = iter(missing)
    found = [e if e.codes is not None else encoded.get(next(names).id) for e in recordings]
    return [entry for entry in found if entry is not None]

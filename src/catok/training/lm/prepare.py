"""From lists and folders of speech to corpora: what lacks codes is encoded first, once.

Codes become shards of `catok tokenize` in a folder beside the list. Several processes may share the
work. Shards are written in one step, so that whoever is stopped does no harm; what is there already
is kept, unless a recording of the shard has changed since.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from catok.corpus.inputs import read_entries
from catok.corpus.job import TokenizeConfig, tokenize_recordings
from catok.corpus.ledger import FAILED, TokenFolder
from catok.corpus.token_entries import is_token_folder, map_tokens, mapped_folder, token_entries
from catok.data.entry import Entry
from catok.data.recordings import read_recordings
from catok.tokenizer.tokenizer import CausalAudioTokenizer
from catok.training.engine.distributed import Group
from catok.training.lm.corpus import Corpus, check_texts
from catok.training.lm.networks import LMNetworks
from catok.training.lm.train_config import LMDataConfig


def check_corpus(data: str | Path, networks: LMNetworks, config: LMDataConfig) -> None:
    """Raise ValueError where `open_corpus` would find nothing to learn from, before it encodes."""
    if not is_token_folder(data):
        check_texts(read_recordings(data), networks.text, config)


def open_corpus(
    data: str | Path,
    networks: LMNetworks,
    config: LMDataConfig,
    *,
    tokens: str | Path | None = None,
    group: Group | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Corpus:
    """The corpus of a manifest or folder (see `read_recordings`), of lines that have codes, or of
    the shards of `catok tokenize`, which are read in format "memmap" (others are copied to it).

    `tokens`: the folder for the codes of what is audio, by default `token_folder`'s beside it. All
    processes of `group` encode together. Raises ValueError on unreadable manifests, codes of
    another tokenizer, and when nothing is left.
    """
    if is_token_folder(data):
        group = group or Group()
        if group.is_main:
            map_tokens(data)
        group.barrier()
        return Corpus(token_entries(mapped_folder(data)), networks.text, networks.space, config)
    recordings = read_recordings(data)
    if any(recording.codes is None for recording in recordings):
        check_texts(recordings, networks.text, config)
        folder = token_folder(data, networks.tokenizer) if tokens is None else Path(tokens)
        encoded = write_tokens(recordings, folder, networks.tokenizer, group=group, report=report)
        corpus = Corpus(encoded, networks.text, networks.space, config)
        if len(encoded) < len(recordings):
            corpus.skipped["cannot be encoded"] += len(recordings) - len(encoded)
        return corpus
    return Corpus(recordings, networks.text, networks.space, config)


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
    entries = [e if e.codes is not None else encoded.get(next(names).id) for e in recordings]
    return [entry for entry in entries if entry is not None]

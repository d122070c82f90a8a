"""From lists and folders of speech to corpora: what lacks codes is encoded first."""

from collections.abc import Callable
from pathlib import Path

from catok.corpus.token_entries import is_token_folder, map_tokens, mapped_folder, token_entries
from catok.data.recordings import read_recordings
from catok.training.engine.distributed import Group
from catok.training.lm.corpus import Corpus, check_texts
from catok.training.lm.parts import Parts
from catok.training.lm.tokens import token_folder, write_tokens
from catok.training.lm.train_config import LMDataConfig


def check_corpus(data: str | Path, parts: Parts, config: LMDataConfig) -> None:
    """Raise ValueError where `open_corpus` would find nothing to learn from, before it encodes."""
    if not is_token_folder(data):
        check_texts(read_recordings(data), parts.text, config)


def open_corpus(
    data: str | Path,
    parts: Parts,
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
        return Corpus(token_entries(mapped_folder(data)), parts.text, parts.space, config)
    recordings = read_recordings(data)
    if any(recording.codes is None for recording in recordings):
        check_texts(recordings, parts.text, config)
        folder = token_folder(data, parts.tokenizer) if tokens is None else Path(tokens)
        encoded = write_tokens(recordings, folder, parts.tokenizer, group=group, report=report)
        corpus = Corpus(encoded, parts.text, parts.space, config)
        if len(encoded) < len(recordings):
            corpus.skipped["cannot be encoded"] += len(recordings) - len(encoded)
        return corpus
    return Corpus(recordings, parts.text, parts.space, config)

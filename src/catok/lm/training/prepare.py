"""From manifests to corpora: what lacks codes is encoded first."""

from collections.abc import Callable
from pathlib import Path

from catok.lm.training.build import Parts
from catok.lm.training.config import DataConfig
from catok.lm.training.corpus import Corpus
from catok.lm.training.manifest import read_manifest
from catok.lm.training.tokens import token_folder, write_tokens
from catok.training.distributed import Group


def open_corpus(
    manifest: str | Path,
    parts: Parts,
    config: DataConfig,
    *,
    tokens: str | Path | None = None,
    group: Group | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Corpus:
    """The corpus of a manifest of audio, or of one whose lines all have codes.

    `tokens`: the folder for the codes of a manifest of audio, by default `token_folder`'s beside
    it. All processes of `group` encode together. Raises ValueError on unreadable manifests, codes
    of another tokenizer, and when nothing is left.
    """
    recordings = read_manifest(manifest)
    if any(recording.codes is None for recording in recordings):
        folder = token_folder(manifest, parts.tokenizer) if tokens is None else Path(tokens)
        path = write_tokens(recordings, folder, parts.tokenizer, group=group, report=report)
        recordings = read_manifest(path)
    return Corpus(recordings, parts.text, parts.space, config)

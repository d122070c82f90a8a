"""Corpora of tokens: tokenizing recordings in bulk, and reading the shards that come out."""

from typing import TYPE_CHECKING

from catok.lazy import lazy_names

if TYPE_CHECKING:
    from catok.corpus.job import TokenizeConfig, TokenizeSummary, tokenize

__all__ = ["TokenizeConfig", "TokenizeSummary", "tokenize"]

__getattr__, __dir__ = lazy_names(
    "catok.corpus",
    {
        "TokenizeConfig": "catok.corpus.job",
        "TokenizeSummary": "catok.corpus.job",
        "tokenize": "catok.corpus.job",
    },
)

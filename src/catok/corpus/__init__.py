"""Corpora of tokens: tokenizing recordings in bulk, and reading the shards that come out."""

from typing import TYPE_CHECKING

from catok.lazy import lazy_names

if TYPE_CHECKING:
    from catok.corpus.conversion import convert
    from catok.corpus.dataset import TokenDataset
    from catok.corpus.encoding import TokenizeSummary
    from catok.corpus.job import TokenizeConfig, tokenize
    from catok.corpus.publishing import dataset_card, push_to_hub
    from catok.corpus.ray_executor import tokenize_on_ray
    from catok.corpus.stats import TokenStats, save_histogram, token_stats
    from catok.corpus.token_row import CodeSpace, TokenRow
    from catok.corpus.verification import Verified, sample_rows, verify

__all__ = [
    "CodeSpace",
    "TokenDataset",
    "TokenRow",
    "TokenStats",
    "TokenizeConfig",
    "TokenizeSummary",
    "Verified",
    "convert",
    "dataset_card",
    "push_to_hub",
    "sample_rows",
    "save_histogram",
    "token_stats",
    "tokenize",
    "tokenize_on_ray",
    "verify",
]

__getattr__, __dir__ = lazy_names(
    "catok.corpus",
    {
        "CodeSpace": "catok.corpus.token_row",
        "TokenDataset": "catok.corpus.dataset",
        "TokenRow": "catok.corpus.token_row",
        "TokenStats": "catok.corpus.stats",
        "TokenizeConfig": "catok.corpus.job",
        "TokenizeSummary": "catok.corpus.encoding",
        "Verified": "catok.corpus.verification",
        "convert": "catok.corpus.conversion",
        "dataset_card": "catok.corpus.publishing",
        "push_to_hub": "catok.corpus.publishing",
        "sample_rows": "catok.corpus.verification",
        "save_histogram": "catok.corpus.stats",
        "token_stats": "catok.corpus.stats",
        "tokenize": "catok.corpus.job",
        "tokenize_on_ray": "catok.corpus.ray_executor",
        "verify": "catok.corpus.verification",
    },
)

"""Corpora of tokens: tokenizing recordings in bulk, and reading the shards that come out."""

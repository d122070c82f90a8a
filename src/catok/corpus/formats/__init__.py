"""Formats of token shards, by name."""

from catok.corpus.formats.base import ShardFormat
from catok.corpus.formats.jsonl import JsonlFormat
from catok.corpus.formats.memmap import MemmapFormat
from catok.corpus.formats.parquet import ParquetFormat
from catok.corpus.formats.shar import SharFormat
from catok.corpus.formats.tar import CAT, WEBDATASET

FORMATS: dict[str, ShardFormat] = {
    form.name: form
    for form in (ParquetFormat(), WEBDATASET, SharFormat(), JsonlFormat(), MemmapFormat(), CAT)
}

__all__ = ["FORMATS", "ShardFormat"]

"""Parquet: one row per recording, `codes` as list<uint16> frame by frame, every column its own.

`datasets.load_dataset("parquet", data_files=...)` and every data frame library read it. The code
space stands in the file's metadata under "catok".
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from catok.corpus.formats.base import ShardFormat, check_columns
from catok.corpus.token_row import CodeSpace, TokenRow
from catok.io.files import replacing
from catok.io.json import parse_object

OWN = ("id", "codes", "num_codebooks", "num_frames", "num_samples", "sample_rate")
KEY = b"catok"


class ParquetFormat(ShardFormat):
    """See the module."""

    name, suffix = "parquet", ".parquet"

    def write(self, path: Path, rows: Sequence[TokenRow], space: CodeSpace) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        for row in rows:
            check_columns(row)
        offsets = np.cumsum([0, *(row.codes.size for row in rows)], dtype=np.int64)
        lists = pa.ListArray if offsets[-1] < 2**31 else pa.LargeListArray
        ends = pa.array(offsets, pa.int32() if lists is pa.ListArray else pa.int64())
        flat = np.concatenate([row.codes.reshape(-1) for row in rows] or [np.zeros(0, np.uint16)])
        columns: dict[str, Any] = {
            "id": pa.array([row.id for row in rows], pa.string()),
            "codes": lists.from_arrays(ends, pa.array(flat, pa.uint16())),
            "num_codebooks": pa.array([row.codes.shape[1] for row in rows], pa.int32()),
            "num_frames": pa.array([row.frames for row in rows], pa.int64()),
            "num_samples": pa.array([row.samples for row in rows], pa.int64()),
            "sample_rate": pa.array([space.sample_rate] * len(rows), pa.int32()),
        }
        for name in sorted({name for row in rows for name in row.columns}):
            columns[name] = _column([row.columns.get(name) for row in rows])
        table = pa.table(columns).replace_schema_metadata({KEY: json.dumps(space.to_dict())})
        with replacing(path) as temporary:
            pq.write_table(table, temporary, compression="zstd", row_group_size=1000)

    def read(self, path: Path, num_quantizers: int | None = None) -> Iterator[TokenRow]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            for batch in pq.ParquetFile(path).iter_batches(batch_size=256):
                flat = batch["codes"].flatten().to_numpy()
                column_names = [name for name in batch.schema.names if name not in OWN]
                rows = batch.drop_columns(["codes"]).to_pylist()
                at = 0
                for facts in rows:
                    shape = facts["num_frames"], facts["num_codebooks"]
                    codes = flat[at : at + shape[0] * shape[1]].reshape(shape)
                    at += codes.size
                    columns = {
                        name: facts[name] for name in column_names if facts[name] is not None
                    }
                    row = TokenRow(facts["id"], codes, facts["num_samples"], columns)
                    yield row.prefix(num_quantizers)
        except (pa.ArrowException, OSError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged or no token shard: {error}") from error

    def space(self, path: Path) -> CodeSpace:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            metadata = pq.read_schema(path).metadata or {}
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{path} is damaged or no Parquet file: {error}") from error
        if KEY not in metadata:
            raise ValueError(f"{path} does not say which codes it holds: it is no token shard")
        return CodeSpace.from_dict(parse_object(metadata[KEY].decode(), f"metadata of {path}"))


def _column(values: list[Any]) -> Any:
    """An Arrow array of the values; where they are of several types, their JSON as strings."""
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        return pa.array([None if value is None else json.dumps(value) for value in values])

"""Parquet tables with audio, as Hugging Face's `datasets` writes them: struct{bytes, path}."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catok.corpus.recording import Recording
from catok.io.remote import opened

NAMES = ("id", "key", "utt_id", "utterance_id", "segment_id")  # columns that name a recording


def find_tables(path: str) -> list[Path]:
    """The Parquet files that a path is, or a folder of them holds."""
    if Path(path).is_dir():
        return sorted(Path(path).rglob("*.parquet"))
    return [Path(path)] if path.endswith(".parquet") and Path(path).is_file() else []


def read_table(table: str, version: str) -> Iterator[Recording]:
    """The recordings of a table, a file or an URL, without reading their audio.

    Raises ValueError where it is damaged or has no column of audio.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with opened(table) as file:
            reader = pq.ParquetFile(file)
            column = _audio_column(reader.schema_arrow, table)
            others = [name for name in reader.schema_arrow.names if name != column]
            for group in range(reader.num_row_groups):
                paths = _paths(reader, group, column)
                facts = reader.read_row_group(group, columns=others).to_pylist() if others else []
                for row in range(reader.metadata.row_group(group).num_rows):
                    columns = (
                        {k: v for k, v in facts[row].items() if v is not None} if facts else {}
                    )
                    yield _recording(table, column, group, row, columns, paths[row], version)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{table} is damaged or no Parquet file: {error}") from error


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    """The values as JSON has them: times as text; bytes are left out."""
    said = {k: v for k, v in facts.items() if v is not None and not isinstance(v, bytes)}
    return json.loads(json.dumps(said, default=str))


def _audio_column(schema: Any, table: str) -> str:
    """The name of the column of struct{bytes, ...} or bytes; "audio" first."""
    import pyarrow as pa

    def holds(kind: Any) -> bool:
        if pa.types.is_struct(kind):
            return any(f.name == "bytes" and holds(f.type) for f in kind)
        return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)

    columns = [field.name for field in schema if holds(field.type)]
    if not columns:
        raise ValueError(f"{table} has no column of audio bytes, only {', '.join(schema.names)}")
    return "audio" if "audio" in columns else columns[0]


def _paths(reader: Any, group: int, column: str) -> list[str | None]:
    """The names that a row group's audio had as files; those are read without the bytes."""
    kind = reader.schema_arrow.field(column).type
    rows = reader.metadata.row_group(group).num_rows
    if not any(getattr(field, "name", "") == "path" for field in _fields(kind)):
        return [None] * rows
    table = reader.read_row_group(group, columns=[f"{column}.path"])
    return [None if value is None else value["path"] for value in table[column].to_pylist()]


def _fields(kind: Any) -> list[Any]:
    return [kind.field(i) for i in range(kind.num_fields)]


def _recording(
    table: str,
    column: str,
    group: int,
    row: int,
    columns: dict[str, Any],
    path: str | None,
    version: str,
) -> Recording:
    named = next((str(columns[name]) for name in NAMES if columns.get(name) is not None), None)
    stem = None if not path else Path(path).stem
    name = named or stem or f"{Path(table).stem}-{group}-{row}"
    columns.pop("id", None)
    columns = columns | {"audio": path or f"{table}:{column}:{group}:{row}"}
    return Recording(
        name, f"{table}:{column}:{group}:{row}", "parquet", columns=columns, version=version
    )

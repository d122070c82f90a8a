"""One flat file of codes to map into memory, with an index beside it.

`shard-000000.bin` is uint16; the codes of a recording lie codebook by codebook `[K, F]`, so that
its first codebooks are one contiguous piece and the others are never read. `shard-000000.json`
holds the code space, and ids, lengths and columns by recording. The index is written last: a
shard without one is not there.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from catok.corpus.formats.base import ShardFormat, check_columns
from catok.corpus.token_row import CodeSpace, TokenRow
from catok.io.files import replacing
from catok.io.json import read_json


class MemmapFormat(ShardFormat):
    """See the module."""

    name, suffix = "memmap", ".json"

    def write(self, path: Path, rows: Sequence[TokenRow], space: CodeSpace) -> None:
        with replacing(path.with_suffix(".bin")) as temporary, open(temporary, "wb") as file:
            for row in rows:
                check_columns(row)
                file.write(np.ascontiguousarray(row.codes.T, dtype="<u2").tobytes())
        index = {
            "tokenizer": space.to_dict(),
            "rows": [
                {
                    "id": row.id,
                    "shape": list(reversed(row.codes.shape)),
                    "num_samples": row.samples,
                    "columns": dict(row.columns),
                }
                for row in rows
            ],
        }
        with replacing(path) as temporary:
            Path(temporary).write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")

    def read(self, path: Path, num_quantizers: int | None = None) -> Iterator[TokenRow]:
        file = path.with_suffix(".bin")
        try:
            index = read_json(path, max_bytes=1 << 30)["rows"]
            codes = np.memmap(file, dtype="<u2", mode="r") if index else np.zeros(0, "<u2")
            shapes = [tuple(map(int, facts["shape"])) for facts in index]
            if sum(k * f for k, f in shapes) != codes.size:
                raise ValueError("its length is not what the index says")
            at = 0
            for facts, (count, frames) in zip(index, shapes, strict=True):
                used = count if num_quantizers is None else min(count, num_quantizers)
                piece = codes[at : at + used * frames].reshape(used, frames).T
                at += count * frames
                columns = dict(facts["columns"])
                yield TokenRow(str(facts["id"]), piece, int(facts["num_samples"]), columns)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file} is damaged or no token shard: {error}") from error

    def space(self, path: Path) -> CodeSpace:
        data = read_json(path, max_bytes=1 << 30).get("tokenizer")
        if not isinstance(data, dict):
            raise ValueError(f"{path} does not say which codes it holds: it is no token shard")
        return CodeSpace.from_dict(data)


def read_places(path: Path) -> Iterator[tuple[str, dict[str, Any], int, tuple[int, int]]]:
    """Of every row its id, columns, and where its codes lie: offset in codes, and (K, F).

    Raises ValueError where the index is damaged.
    """
    at = 0
    try:
        for facts in read_json(path, max_bytes=1 << 30)["rows"]:
            count, frames = map(int, facts["shape"])
            yield str(facts["id"]), dict(facts["columns"]), at, (count, frames)
            at += count * frames
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged or no token shard: {error}") from error
